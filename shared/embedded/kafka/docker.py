"""A broker as a container: the same properties, the same port on the loopback interface, the same verbs.

The data lies in the container, which is removed at `stop` and kept at `kill`. The container is known by the
id that Docker gave it, written into the folder: never by a name that somebody else might use.
"""

from __future__ import annotations

import subprocess
import time

from shared.embedded.kafka.artifacts import DockerImage
from shared.embedded.kafka.place import Place
from shared.errors import Unavailable

START_WAIT_S = 300.0
"""Bounds pulling the image too."""
STOP_WAIT_S = 60.0
POLL_WAIT_S = 0.2
READY = "Kafka Server started"
PROPERTIES = "/mnt/shared/config"
"""Where the image looks for a server.properties that replaces its own."""
DATA = "/tmp/kafka-logs"  # noqa: S108 - a folder of the image, inside the container


class DockerBroker:
    """One container on a Place. Made by `start`."""

    pid = 0

    def __init__(self, place: Place, image: DockerImage, container: str) -> None:
        self._place = place
        self._image = image
        self.container = container

    @classmethod
    def start(cls, place: Place, image: DockerImage, ports: tuple[int, int]) -> DockerBroker:
        """Start the folder's container, made if there is none, and return once it takes clients."""
        port, controller_port = ports
        container = known(place)
        if container is None:
            place.write_properties(port, controller_port, data=DATA, bind="0.0.0.0")  # noqa: S104 - in it
            place.properties.chmod(0o644)
            container = _docker(
                image,
                *("create", "--publish", f"127.0.0.1:{port}:{port}"),
                *("--volume", f"{place.properties}:{PROPERTIES}/server.properties:ro", image.image),
            )
            place.container_file.write_text(container, "utf-8")
        broker = cls(place, image, container)
        began = int(time.time())
        _docker(image, "start", container)
        deadline = time.monotonic() + START_WAIT_S
        while READY not in _docker(image, "logs", "--since", str(began), container):
            if time.monotonic() > deadline or _state(image, container) != "running":
                raise Unavailable("Kafka did not start in its container; `docker logs` tells why.")
            time.sleep(POLL_WAIT_S)
        return broker

    def stop(self) -> None:
        """Shut the broker down in order and remove its container."""
        _docker(self._image, "stop", self.container)
        _docker(self._image, "rm", "--volumes", self.container)
        self._place.container_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """End the broker at once, as a power cut would; its container and data stay."""
        if _state(self._image, self.container) == "running":
            _docker(self._image, "kill", self.container)


def known(place: Place) -> str | None:
    """The container of this folder, if one was made and not yet removed."""
    try:
        return place.container_file.read_text("utf-8").strip() or None
    except FileNotFoundError:
        return None


def runs(place: Place, image: DockerImage) -> bool:
    """Whether the folder's container runs."""
    container = known(place)
    return container is not None and _state(image, container) == "running"


def _state(image: DockerImage, container: str) -> str:
    return _docker(image, "inspect", "--format", "{{.State.Status}}", container)


def _docker(image: DockerImage, *words: str) -> str:
    answer = subprocess.run(  # noqa: S603 - fixed commands
        [image.docker, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if words[0] != "logs" else subprocess.STDOUT,
        text=True,
        timeout=START_WAIT_S if words[0] in ("create", "start") else STOP_WAIT_S,
        check=False,
    )
    if answer.returncode:
        raise Unavailable(f"docker {words[0]} failed: {(answer.stderr or answer.stdout).strip()[-500:]}")
    return answer.stdout.strip()
