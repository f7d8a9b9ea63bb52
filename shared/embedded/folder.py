"""The folder of a cluster, and who owns it.

It holds `data` (PostgreSQL's own), `password`, `port`, `postgres.log` and `owner.lock`. Port and password
stay for the folder's life, so that an address printed yesterday works today. One program at a time owns
it: the lock is an flock, which the kernel drops with its holder, so `kill -9` leaves nothing to clean by
hand. It refuses a folder with other things in it and a second owner, each with a sentence.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path

from shared.errors import Conflict, Invalid

PASSWORD_BYTES = 24
LOG_BYTES_MAX = 16 * 1024 * 1024
"""A longer log is set aside at the next start; the one set aside before it goes."""

UNFINISHED = "initdb-"
"""Prefix of a data folder in the making; those that are found were interrupted."""

_OURS = ("data", "password", "port", "postgres.log", "postgres.log.1", "owner.lock")


class Folder:
    """Paths and small files of one cluster. Nothing is written before `own`."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.data = self.path / "data"
        self.log = self.path / "postgres.log"
        self.password_file = self.path / "password"
        self._port_file = self.path / "port"
        self._lock: int | None = None

    @property
    def owned(self) -> bool:
        """Whether this object holds the lock."""
        return self._lock is not None

    def own(self) -> None:
        """Make the folder if it is missing and take its lock; harmless if already held.

        Raises Invalid (`folder-not-ours`) and Conflict (`folder-in-use`).
        """
        if self.owned:
            return
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._refuse_strangers()
        lock = os.open(self.path / "owner.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(lock, 20).decode(errors="replace") or "unknown"
            os.close(lock)
            raise Conflict(
                "folder-in-use",
                f"The database in {self.path} is in use by another microcred (process {owner}). Stop that "
                "one, or choose another folder.",
            ) from error
        os.truncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        self._lock = lock

    def release(self) -> None:
        """Give the lock up; harmless if not held."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def major(self) -> int | None:
        """The PostgreSQL version that `data` belongs to, None where there is no data yet."""
        if not self.data.exists():
            return None
        try:
            major = int((self.data / "PG_VERSION").read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, ValueError) as error:
            raise Invalid("folder-not-ours", f"{self.data} is not a PostgreSQL data folder.") from error
        if not self.password_file.is_file():
            raise Invalid(
                "password-missing", f"{self.password_file} is gone; {self.data} opens with no other."
            )
        return major

    def password(self) -> str:
        """The superuser's password."""
        return self.password_file.read_text(encoding="utf-8")

    def choose_password(self) -> None:
        """Write a new random password, readable by its owner alone from the first byte on."""
        self.password_file.unlink(missing_ok=True)
        descriptor = os.open(self.password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(secrets.token_urlsafe(PASSWORD_BYTES))

    def port(self) -> int | None:
        """The port of the last start, None before the first."""
        try:
            return int(self._port_file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def remember_port(self, port: int) -> None:
        """Keep `port` for the next start."""
        self._port_file.write_text(str(port), encoding="utf-8")

    def set_long_log_aside(self) -> None:
        """Begin a new log where the present one has more than LOG_BYTES_MAX."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES_MAX:
            self.log.replace(self.log.with_name("postgres.log.1"))

    def _refuse_strangers(self) -> None:
        for each in sorted(self.path.iterdir()):
            if each.name not in _OURS and not each.name.startswith(UNFINISHED):
                raise Invalid(
                    "folder-not-ours",
                    f"{self.path} holds something that is not microcred's database ({each.name}). Choose an "
                    "empty folder.",
                )
