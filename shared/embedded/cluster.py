"""`Cluster`: one PostgreSQL, its folder and its owner.

The folder holds `data` (PostgreSQL's own), `password`, `port`, `postgres.log` and `owner.lock`. Port and
password stay for the folder's life, so that an address printed yesterday works today. Exactly one program
owns the folder at a time: the lock is an flock, which the kernel drops with its holder, so `kill -9` leaves
nothing to clean by hand. It refuses a folder with other things in it, a folder of another PostgreSQL version
and a second owner, each with a sentence.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from shared.embedded import guard, postmaster
from shared.embedded.binaries import Binaries, find
from shared.embedded.privileges import Privileges, privileges
from shared.errors import Conflict, Invalid, Unavailable

HOST = "127.0.0.1"
SUPERUSER = "postgres"

INITDB_WAIT_S = 120.0
START_WAIT_S = 120.0
"""Bounds the recovery after a crash too, which is what takes long."""
POLL_WAIT_S = 0.02
PROBE_WAIT_S = 20.0
PORT_TRIES_MAX = 5
PASSWORD_BYTES = 24
LOG_BYTES_MAX = 16 * 1024 * 1024
LOG_LINES_SHOWN_MAX = 20
LOG_BYTES_SHOWN_MAX = 16 * 1024

SETTINGS = {
    "unix_socket_directories": "",  # their path may have 107 bytes at most: data folders lie deeper
    "max_connections": "200",
    "idle_in_transaction_session_timeout": "10s",  # an append lock is never held by a sleeper
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Never a row's contents in the log: no failing statement, no "Key (…) already exists".
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}
COMPRESSION = {"default_toast_compression": "lz4"}
"""Where it is built in, as it is not in the wheel: no table may ask for it by name."""
CARELESS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
"""For tests alone, and never for one that measures or kills."""

_ENVIRONMENT = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_OURS = ("data", "password", "port", "postgres.log", "postgres.log.1", "owner.lock")
_UNFINISHED = "initdb-"


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class Cluster:
    """A running PostgreSQL of our own. Made by `open`; blocking, so call it in a thread from async code."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self.folder = folder
        self.port = 0
        self._data = folder / "data"
        self._log = folder / "postgres.log"
        self._durable = durable
        self._lock: int | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._binaries: Binaries
        self._privileges: Privileges

    @classmethod
    def open(cls, folder: Path, *, port: int | None = None, durable: bool = True) -> Self:
        """Start the PostgreSQL of `folder` (made if missing or empty) and return once it takes connections.

        `port`: insist on this one; without it the folder's last port is taken, or another where a stranger
        listens on that. `durable=False`: fast and careless, for tests.

        Raises NotFound (no PostgreSQL installed), Conflict (`folder-in-use`, `port-in-use`), Invalid (the
        folder is not ours, or not readable by the PostgreSQL at hand), Unavailable (it did not start).
        """
        cluster = cls(folder.resolve(), durable=durable)
        cluster._own_folder()
        try:
            cluster._prepare()
            cluster._start_on_some_port(port)
        except BaseException:
            cluster.stop()
            raise
        return cluster

    @property
    def pid(self) -> int:
        """Process id of the postmaster, as of the last start."""
        return self._pid

    @property
    def binaries(self) -> Binaries:
        """The installation that runs it."""
        return self._binaries

    def dsn(self, database: str = "postgres", user: str = SUPERUSER, password: str | None = None) -> str:
        """The address of `database` for `user`; the superuser's password is filled in. Never log it."""
        if password is None and user == SUPERUSER:
            password = (self.folder / "password").read_text(encoding="utf-8")
        secret = f":{quote(password, safe='')}" if password is not None else ""
        return f"postgresql://{quote(user, safe='')}{secret}@{HOST}:{self.port}/{quote(database, safe='')}"

    def stop(self) -> None:
        """Shut down in order (bounded by guard.STOP_WAIT_S_MAX) and give the folder up. Twice is harmless."""
        if self._lock is None:
            return
        try:
            self._end_guard()
            postmaster.clear(self._data)
        finally:
            os.close(self._lock)
            self._lock = None

    def kill(self) -> None:
        """End every process of PostgreSQL at once, as a power cut would; `restart()` recovers."""
        postmaster.kill(self._pid)
        self._end_guard()

    def restart(self) -> None:
        """Stop, if it runs, and start again on the same port. Raises as `open`."""
        if self._lock is None:
            self._own_folder()
        self._end_guard()
        self._start_on_some_port(self.port)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _own_folder(self) -> None:
        """Take the folder's lock, after a look that it is ours to take."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        strangers = [
            each.name
            for each in self.folder.iterdir()
            if each.name not in _OURS and not each.name.startswith(_UNFINISHED)
        ]
        if strangers and not (self._data / "PG_VERSION").is_file():
            raise Invalid(
                "folder-not-ours",
                f"{self.folder} holds other things ({sorted(strangers)[0]}, for one) and no database of "
                "microcred. Choose an empty folder.",
            )
        lock = os.open(self.folder / "owner.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(lock, 20).decode(errors="replace") or "unknown"
            os.close(lock)
            raise Conflict(
                "folder-in-use",
                f"The database in {self.folder} is in use by another microcred (process {owner}). Stop that "
                "one, or choose another folder.",
            ) from error
        os.truncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        self._lock = lock

    def _prepare(self) -> None:
        """Choose the binaries and make the data folder if there is none."""
        for unfinished in self.folder.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        if self._data.exists():
            self._binaries = find(self._major_of_data())
            self._privileges = privileges(self._binaries.postgres)
            if not (self.folder / "password").is_file():
                raise Invalid(
                    "password-missing",
                    f"{self.folder / 'password'} is gone, and the data cannot be read without it.",
                )
            postmaster.clear(self._data)
            self._privileges.give(self._data)
        else:
            self._binaries = find()
            self._privileges = privileges(self._binaries.postgres)
            self._initialise()

    def _major_of_data(self) -> int:
        try:
            return int((self._data / "PG_VERSION").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Invalid("folder-not-ours", f"{self._data} is not a PostgreSQL data folder.") from error

    def _initialise(self) -> None:
        """initdb beside the final place, then one rename: half a data folder is never taken for a whole."""
        password = self.folder / "password"
        password.unlink(missing_ok=True)
        with open(
            os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(secrets.token_urlsafe(PASSWORD_BYTES))
        unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self.folder))
        self._privileges.give(unfinished)
        command = [
            *self._privileges.prefix,
            str(self._binaries.initdb),
            f"--pgdata={unfinished}",
            f"--username={SUPERUSER}",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--no-locale",
            "--encoding=UTF8",
            "--no-instructions",
            *([] if self._durable else ["--no-sync"]),
        ]
        try:
            made = subprocess.run(  # noqa: S603 - a fixed command
                command,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=INITDB_WAIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"PostgreSQL's initdb took longer than {INITDB_WAIT_S:.0f} s.") from error
        if made.returncode != 0:
            raise Unavailable(f"PostgreSQL's initdb failed:\n{_last_lines(made.stdout)}")
        unfinished.rename(self._data)

    def _start_on_some_port(self, wanted: int | None) -> None:
        """Start on `wanted`, or else on the folder's last port, or else on any free one."""
        remembered = self.folder / "port"
        if wanted is not None and not _is_free(wanted):
            raise _port_in_use(wanted)
        port = wanted or self._remembered_port()
        for _ in range(PORT_TRIES_MAX):
            if port is None or not _is_free(port):
                port = free_port()
            try:
                self._start(port)
            except Unavailable as error:
                if _is_free(port):
                    raise
                if wanted is not None:  # a stranger took it between our look and PostgreSQL's
                    raise _port_in_use(wanted) from error
                continue
            remembered.write_text(str(port), encoding="utf-8")
            return
        raise Unavailable(f"No port of {HOST} stayed free for PostgreSQL in {PORT_TRIES_MAX} tries.")

    def _remembered_port(self) -> int | None:
        try:
            return int((self.folder / "port").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def _start(self, port: int) -> None:
        if self._log.exists() and self._log.stat().st_size > LOG_BYTES_MAX:
            self._log.replace(self._log.with_name("postgres.log.1"))
        postmaster.clear(self._data)
        before = postmaster.read(self._data)
        settings = SETTINGS | self._compression() | ({} if self._durable else CARELESS)
        command = [
            *self._privileges.prefix,
            *(str(self._binaries.postgres), "-D", str(self._data), "-h", HOST, "-p", str(port)),
            *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
        ]
        with open(self._log, "ab") as log:
            log_start = log.tell()
            self._guard = subprocess.Popen(  # noqa: S603 - a fixed command
                [sys.executable, "-I", "-S", guard.__file__, *command],
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the program first
            )
        try:
            self._pid = self._await_ready(before)
        except Unavailable as error:
            self._end_guard()
            said = _last_lines(self._log.read_bytes()[log_start:])
            raise Unavailable(f"{error.message} Its last words, from {self._log}:\n{said}") from error
        self.port = port

    def _await_ready(self, before: postmaster.Postmaster | None) -> int:
        """The pid of the postmaster that says it takes connections, which is not the one from `before`."""
        deadline = time.monotonic() + START_WAIT_S
        while time.monotonic() < deadline:
            now = postmaster.read(self._data)
            if now is not None and now.ready and (before is None or _identity(now) != _identity(before)):
                return now.pid
            if self._guard is None or self._guard.poll() is not None:
                raise Unavailable("PostgreSQL did not start.")
            time.sleep(POLL_WAIT_S)
        raise Unavailable(f"PostgreSQL was not ready after {START_WAIT_S:.0f} s.")

    def _compression(self) -> dict[str, str]:
        """COMPRESSION where this PostgreSQL was built with it; `-C` asks without starting a server."""
        ((name, value),) = COMPRESSION.items()
        answer = subprocess.run(  # noqa: S603 - fixed arguments
            [self._binaries.postgres, "-C", name, "-c", f"{name}={value}", "-D", self._data],
            env=_environment(),
            capture_output=True,
            timeout=PROBE_WAIT_S,
            check=False,
        )
        return COMPRESSION if answer.returncode == 0 else {}

    def _end_guard(self) -> None:
        """Close the guard's pipe, which stops PostgreSQL, and collect it."""
        if self._guard is None:
            return
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        try:
            self._guard.wait(guard.STOP_WAIT_S_MAX)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait(guard.KILL_WAIT_S)
        self._guard = None


def _environment() -> dict[str, str]:
    """No PG* variable of the caller steers our PostgreSQL, and none of the program's secrets reaches it."""
    return {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | {"LC_ALL": "C"}


def _identity(process: postmaster.Postmaster) -> tuple[int, str]:
    return process.pid, process.started_at


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As PostgreSQL does: connections of an earlier run that wait to be forgotten are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _port_in_use(port: int) -> Conflict:
    return Conflict("port-in-use", f"Port {port} of {HOST} is taken by another program. Choose another.")


def _last_lines(output: bytes) -> str:
    lines = output[-LOG_BYTES_SHOWN_MAX:].decode(errors="replace").splitlines()
    return "\n".join(lines[-LOG_LINES_SHOWN_MAX:])
