"""One run of PostgreSQL on a data folder: from the command line to the last process.

The guard (guard.py) stands between, so a run ends when we end, however we end. Readiness is read where
`pg_ctl` reads it, in `postmaster.pid`: no connection, no password, no guess from the log.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Self

from shared.embedded import guard, postmaster
from shared.embedded.binaries import Binaries, environment
from shared.embedded.folder import Folder
from shared.embedded.ports import HOST
from shared.embedded.privileges import Privileges
from shared.errors import Unavailable

START_WAIT_S = 120.0
"""Bounds the recovery after a crash too, which is what takes long."""
POLL_WAIT_S = 0.02
PROBE_WAIT_S = 20.0
LOG_LINES_SHOWN_MAX = 20
LOG_BYTES_SHOWN_MAX = 16 * 1024

SETTINGS = {
    "unix_socket_directories": "",  # a socket's path has 107 bytes at most: data folders lie deeper
    "max_connections": "200",
    "idle_in_transaction_session_timeout": "10s",  # an append lock is never held by a sleeper
    # Pages that no longer fit here are written and read back again and again; half a gigabyte is what a
    # development machine has to spare. Only touched pages take memory.
    "shared_buffers": "512MB",
    # A new segment of the log would be filled with zeros before it is filled with the log.
    "wal_init_zero": "off",
    # In the data folder, and gone with it: what lies where the system has such things outlives a kill.
    "dynamic_shared_memory_type": "mmap",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Never a row's contents in the log: no failing statement, no "Key (…) already exists".
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}
COMPRESSION = {"default_toast_compression": "lz4"}
"""Only where it is built in, which in the wheel it is not: no table may ask for it by name."""
CARELESS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
"""For tests alone, and never for one that measures or kills."""


class Server:
    """A running postmaster with its guard. Made by `start`; whoever starts it owns the folder."""

    def __init__(self, folder: Folder, keeper: subprocess.Popen[bytes]) -> None:
        self.pid = 0
        self._folder = folder
        self._keeper = keeper

    @classmethod
    def start(
        cls, folder: Folder, binaries: Binaries, privileges: Privileges, port: int, *, durable: bool
    ) -> Self:
        """Start on data that nobody runs on, and return once connections are taken on `port`.

        Raises Unavailable with the log's last lines; nothing runs then.
        """
        before = postmaster.read(folder.data)
        folder.set_long_log_aside()
        command = [
            *privileges.prefix,
            *(str(binaries.postgres), "-D", str(folder.data), "-h", HOST, "-p", str(port)),
            *_options(_settings(folder, binaries, durable=durable)),
        ]
        with folder.log.open("ab") as log:
            log_start = log.tell()
            keeper = subprocess.Popen(  # noqa: S603 - a fixed command
                [sys.executable, "-I", "-S", guard.__file__, *command],
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the program first
            )
        server = cls(folder, keeper)
        try:
            server.pid = server._await_ready(before)
        except BaseException as error:
            server.stop()
            if not isinstance(error, Unavailable):
                raise
            said = last_lines(folder.log.read_bytes()[log_start:])
            raise Unavailable(f"{error.message} Its last words, from {folder.log}:\n{said}") from error
        return server

    def stop(self) -> None:
        """Close the guard's pipe, which shuts PostgreSQL down, and collect it; bounded, twice is harmless."""
        if self._keeper.stdin is not None:
            self._keeper.stdin.close()
        try:
            self._keeper.wait(guard.STOP_WAIT_S_MAX)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait(guard.KILL_WAIT_S)
        postmaster.clear(self._folder.data)  # where somebody killed the guard alone

    def kill(self) -> None:
        """End every process of PostgreSQL at once, as a power cut would."""
        postmaster.kill(self.pid)
        self.stop()

    def _await_ready(self, before: postmaster.Postmaster | None) -> int:
        """The pid of the postmaster that says it is ready, and is not the one that left `before`."""
        deadline = time.monotonic() + START_WAIT_S
        while time.monotonic() < deadline:
            now = postmaster.read(self._folder.data)
            if now is not None and now.ready and now != before:
                return now.pid
            if self._keeper.poll() is not None:
                raise Unavailable("PostgreSQL did not start.")
            time.sleep(POLL_WAIT_S)
        raise Unavailable(f"PostgreSQL was not ready after {START_WAIT_S:.0f} s.")


def last_lines(output: bytes) -> str:
    """The end of what a program said, for an error message."""
    lines = output[-LOG_BYTES_SHOWN_MAX:].decode(errors="replace").splitlines()
    return "\n".join(lines[-LOG_LINES_SHOWN_MAX:])


def _settings(folder: Folder, binaries: Binaries, *, durable: bool) -> dict[str, str]:
    chosen = dict(SETTINGS)
    # `-C` asks what a setting would be without starting anything; it fails where the value is unknown.
    question = [str(binaries.postgres), "-C", *COMPRESSION, *_options(COMPRESSION), "-D", str(folder.data)]
    answer = subprocess.run(  # noqa: S603 - fixed arguments
        question, env=environment(), capture_output=True, timeout=PROBE_WAIT_S, check=False
    )
    if answer.returncode == 0:
        chosen |= COMPRESSION
    if not durable:
        chosen |= CARELESS
    return chosen


def _options(settings: dict[str, str]) -> list[str]:
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
