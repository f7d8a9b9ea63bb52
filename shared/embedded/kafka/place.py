"""The folder of a broker: its data, its ports, its log, and which process runs on it.

Ports stay for the folder's life where they are free, so that an address printed yesterday works today. What
runs on the folder is read from `kafka.pid` and believed only where the process's command line names this
folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from string import Template

from shared.embedded.guard import alive
from shared.embedded.kafka.artifacts import DEPLOY
from shared.embedded.ports import HOST, free_port, is_free
from shared.embedded.processes import command_line
from shared.errors import Conflict

LOG_BYTES_MAX = 16 * 1024 * 1024
"""A longer log is set aside at the next start; the one set aside before it goes."""


class Place:
    """Paths and small files of one broker."""

    def __init__(self, path: Path, properties: Mapping[str, str] | None = None) -> None:
        """`properties` are added to those of deploy/kafka/server.properties, or stand in their place."""
        self.path = path.resolve()
        self._added = dict(properties or {})
        self.data = self.path / "data"
        self.log = self.path / "kafka.log"
        self.properties = self.path / "server.properties"
        self.pid_file = self.path / "kafka.pid"
        self.container_file = self.path / "kafka.container"
        self._ports_file = self.path / "ports.json"

    def make(self) -> None:
        """Make the folder, closed to others, and set a long log aside."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES_MAX:
            self.log.rename(self.path / "kafka.log.1")

    @property
    def formatted(self) -> bool:
        """Whether the data folder was prepared for a broker."""
        return (self.data / "meta.properties").exists()

    def ports(self, wanted: int | None = None) -> tuple[int, int]:
        """The port for clients and the controller's: `wanted`, else the last ones, else any that are free.

        Raises Conflict where `wanted` is taken.
        """
        port, controller = self.last_ports()
        if wanted is not None:
            if not is_free(wanted):
                raise Conflict("port-in-use", f"Port {wanted} of {HOST} is taken by another program.")
            port = wanted
        elif not port or not is_free(port):
            port = free_port()
        while not controller or controller == port or not is_free(controller):
            controller = free_port()
        self._ports_file.write_text(json.dumps([port, controller]), "utf-8")
        return port, controller

    def last_ports(self) -> tuple[int, int]:
        """The two ports of the last start; zeros before the first."""
        try:
            port, controller = json.loads(self._ports_file.read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return 0, 0
        return int(port), int(controller)

    def write_properties(self, port: int, controller_port: int, *, data: str, bind: str = HOST) -> None:
        """Fill in deploy/kafka/server.properties."""
        added = "".join(f"{name}={value}\n" for name, value in self._added.items())
        template = Template((DEPLOY / "server.properties").read_text("utf-8") + added)
        filled = template.safe_substitute(port=port, controller_port=controller_port, data=data, bind=bind)
        self.properties.write_text(filled, "utf-8")

    def running(self) -> int | None:
        """The process id of the Java broker that runs on this folder, or None."""
        try:
            pid = int(self.pid_file.read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        if alive(pid) and f" {self.properties} " in command_line(pid):
            return pid
        return None
