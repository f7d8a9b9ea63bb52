"""Makes a data folder: initdb beside the final place, then one rename.

So an interrupted making leaves only a folder named `initdb-…`, which the next owner removes, and half a data
folder is never taken for a whole one. The password travels in a file: an argument would be everybody's.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from shared.embedded.binaries import Binaries, environment
from shared.embedded.folder import UNFINISHED, Folder
from shared.embedded.privileges import Privileges
from shared.embedded.server import last_lines
from shared.errors import Unavailable

SUPERUSER = "postgres"
INITDB_WAIT_S = 120.0


def initialise(folder: Folder, binaries: Binaries, privileges: Privileges, *, durable: bool) -> None:
    """Fill an owned `folder` that has no data: SCRAM for everybody, UTF-8, the C locale.

    Raises Unavailable with initdb's last words.
    """
    for left in folder.path.glob(f"{UNFINISHED}*"):
        shutil.rmtree(left, ignore_errors=True)
    folder.choose_password()
    unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=folder.path))
    privileges.give(unfinished)
    command = [
        *privileges.prefix,
        str(binaries.initdb),
        f"--pgdata={unfinished}",
        f"--username={SUPERUSER}",
        f"--pwfile={folder.password_file}",
        "--auth=scram-sha-256",
        "--no-locale",
        "--encoding=UTF8",
        "--no-instructions",
        *([] if durable else ["--no-sync"]),
    ]
    try:
        made = subprocess.run(  # noqa: S603 - a fixed command
            command,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=INITDB_WAIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"PostgreSQL's initdb took longer than {INITDB_WAIT_S:.0f} s.") from error
    if made.returncode != 0:
        raise Unavailable(f"PostgreSQL's initdb failed:\n{last_lines(made.stdout)}")
    unfinished.rename(folder.data)
