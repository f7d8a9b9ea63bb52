"""Makes the secrets of docker-compose.yml as files, once: `python deploy/compose/make_secrets.py`.

In deploy/compose/secrets/: the superuser's password, an address with a password of its own for each role, the
master key, and the SQL that gives the roles their passwords. What is there is kept. The folder is not for
version control.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from shared.provision import LOGIN_ROLES

FOLDER = Path(__file__).parent / "secrets"
FOR_POSTGRESQL = ("postgres_password", "passwords.sql")
"""Read by a user of its image, who is not ours: closed by their folder alone."""
PASSWORD_BYTES = 24
MASTER_KEY_BYTES = 32


def make(folder: Path) -> list[str]:
    """Write what is missing into `folder`; returns the names of the files made."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (folder / "passwords.sql").exists():
        return []
    passwords = {role: secrets.token_urlsafe(PASSWORD_BYTES) for role in LOGIN_ROLES}
    files = {"postgres_password": secrets.token_urlsafe(PASSWORD_BYTES).encode()}
    for role, password in passwords.items():
        files[f"{role}_url"] = f"postgresql://{role}:{password}@postgres/microcred".encode()
    files["master_key"] = secrets.token_bytes(MASTER_KEY_BYTES)
    files["passwords.sql"] = "".join(
        f"ALTER ROLE {role} PASSWORD '{password}';\n" for role, password in passwords.items()
    ).encode()
    for name, content in files.items():
        mode = 0o644 if name in FOR_POSTGRESQL else 0o600
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    return list(files)


if __name__ == "__main__":
    made = make(FOLDER)
    print(f"{len(made)} files made in {FOLDER}" if made else f"{FOLDER} has them already")
