"""`Broker`: a real Apache Kafka on a folder of ours, in a container or as a Java program.

Blocking, as starting and ending processes is; `broker()` is the same for async code. A test may kill it and
start it again on the same port and data.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Self

from shared.embedded.kafka import docker
from shared.embedded.kafka.artifacts import DockerImage, MavenArtifacts, Say, fetch, find, silent
from shared.embedded.kafka.docker import DockerBroker
from shared.embedded.kafka.java import JavaBroker
from shared.embedded.kafka.place import Place
from shared.embedded.ports import HOST
from shared.embedded.stopping import Stopping, held
from shared.errors import Conflict


class Broker(Stopping):
    """A running broker. Made by `open`."""

    def __init__(
        self, place: Place, source: DockerImage | MavenArtifacts, *, detached: bool, say: Say
    ) -> None:
        self.source = source
        self.port = 0
        self._place = place
        self._detached = detached
        self._say = say
        self._run: JavaBroker | DockerBroker | None = None

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        port: int | None = None,
        detached: bool = False,
        say: Say = silent,
        properties: Mapping[str, str] | None = None,
    ) -> Self:
        """Start the broker of `folder` (made if missing) and return once it takes clients on the loopback.

        `port`: insist on this one; without it the folder's last port is taken, or a free one. `detached`: it
        outlives this program, until `stop` or `make kafka-stop`. `say` is told what takes long. `properties`
        are added to those of deploy/kafka/server.properties, or stand in their place.

        Raises NotFound (neither Docker nor Java and Maven), Conflict (`port-in-use`, `broker-running`),
        Unavailable (it did not start).
        """
        place = Place(folder, properties)
        broker = cls(place, find(), detached=detached, say=say)
        place.make()
        if running(place) is not None:
            raise Conflict("broker-running", f"A broker runs on {place.path} already.")
        broker._start(port)
        return broker

    @property
    def address(self) -> str:
        """What clients are given as KAFKA_BOOTSTRAP_SERVERS."""
        return f"{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """The process id of the Java broker; 0 in Docker and while none runs."""
        return self._run.pid if self._run is not None else 0

    def stop(self) -> None:
        """Shut down in order, in bounded time. Twice is harmless."""
        if self._run is not None:
            self._run.stop()
            self._run = None

    def kill(self) -> None:
        """End the broker at once, as a power cut would."""
        if self._run is not None:
            self._run.kill()
            self._run = None

    def restart(self) -> None:
        """Start again on the same data and port, after an orderly stop if it runs. Raises as `open`."""
        if isinstance(self._run, DockerBroker):
            self._run.kill()  # its data is gone after a stop
        elif self._run is not None:
            self._run.stop()
        self._run = None
        self._start(self.port)

    def _start(self, wanted: int | None) -> None:
        if isinstance(self.source, DockerImage):
            container = docker.known(self._place)
            ports = self._place.last_ports() if container else self._place.ports(wanted)
            self._run = DockerBroker.start(self._place, self.source, ports)
        else:
            jars = fetch(self._say)
            ports = self._place.ports(wanted)
            self._run = JavaBroker.start(self._place, self.source.java, jars, ports, detached=self._detached)
        self.port = ports[0]


def running(place: Place) -> JavaBroker | DockerBroker | None:
    """The broker that runs on a folder, whoever started it; None if there is none."""
    pid = place.running()
    if pid is not None:
        return JavaBroker.adopt(place, pid)
    container = docker.known(place)
    if container is not None:
        image = find()
        if isinstance(image, DockerImage) and docker.runs(place, image):
            return DockerBroker(place, image, container)
    return None


@asynccontextmanager
async def broker(folder: Path, *, port: int | None = None, say: Say = silent) -> AsyncIterator[Broker]:
    """Run a broker on `folder` until the block ends."""
    async with held(partial(Broker.open, folder, port=port, say=say)) as opened:
        yield opened
