"""The embedded Kafka: its address and data stay, it ends when told to, and it outlives nobody by accident."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from shared.embedded.guard import gone_within
from shared.embedded.kafka import Broker, artifacts, class_archive, docker
from shared.embedded.kafka.artifacts import DockerImage, MavenArtifacts, find
from shared.embedded.kafka.place import Place
from shared.embedded.ports import HOST, free_port
from shared.errors import Conflict, NotFound, Unavailable

GONE_WAIT_S = 30.0
START = Path(__file__).parents[2] / "deploy" / "kafka" / "broker.py"

OWNER = """
import sys
from pathlib import Path
from shared.embedded.kafka import Broker
broker = Broker.open(Path(sys.argv[1]))
print(broker.pid, flush=True)
sys.stdin.read()
"""

DOCKER = """#!/bin/sh
echo "$@" >> "$0.log"
case $1 in
  version) echo 28.0 ;;
  create) echo c0ffee ;;
  logs) echo "Kafka Server started" ;;
  inspect) echo running ;;
  pull) exit 1 ;;
esac
"""


def is_our_process() -> bool:
    """Whether a broker that is started here is a Java process, with a process id of its own."""
    try:
        return isinstance(find(), MavenArtifacts)
    except NotFound:
        return False


needs_java = pytest.mark.skipif(not is_our_process(), reason="no broker runs here as a process of ours")


def takes_connections(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0


@pytest.mark.kafka
@needs_java
def test_a_killed_broker_starts_again_on_its_port_and_a_stopped_one_keeps_it_for_the_folder(
    tmp_path: Path,
) -> None:
    with Broker.open(tmp_path / "kafka") as broker:
        port, killed = broker.port, broker.pid
        assert takes_connections(port)
        broker.kill()
        assert gone_within(killed, 0)
        assert not takes_connections(port)
        broker.restart()
        assert broker.pid != killed
        assert takes_connections(port)
        with pytest.raises(Conflict):
            Broker.open(tmp_path / "kafka")
    assert not takes_connections(port)
    with Broker.open(tmp_path / "kafka") as broker:
        assert broker.port == port


@pytest.mark.kafka
@needs_java
def test_a_broker_that_ends_in_order_leaves_its_classes_to_those_that_come_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "classes.jsa"
    monkeypatch.setattr(class_archive, "archive_of", lambda *_: archive)

    def reads_it(broker: Broker) -> bool:
        return any(file.path == str(archive) for file in psutil.Process(broker.pid).memory_maps())

    with Broker.open(tmp_path / "kafka") as broker:
        broker.kill()
        assert not archive.exists()
        broker.restart()
        assert not reads_it(broker)
    assert [file for file in tmp_path.iterdir() if file.name != "kafka"] == [archive]
    with Broker.open(tmp_path / "other") as broker:
        assert reads_it(broker)


@pytest.mark.kafka
@needs_java
def test_the_broker_ends_with_a_program_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path / "kafka")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        pid = int(program.stdout.readline())
        program.send_signal(signal.SIGKILL)
    assert gone_within(pid, GONE_WAIT_S)


@pytest.mark.kafka
@needs_java
def test_make_kafka_leaves_a_broker_that_make_kafka_stop_ends(tmp_path: Path) -> None:
    folder, port = tmp_path / "kafka", free_port()

    def command(*words: str) -> str:
        return subprocess.run(
            [sys.executable, START, *words, "--folder", folder],
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    told = command("start", "--port", str(port))
    try:
        assert f"KAFKA_BOOTSTRAP_SERVERS={HOST}:{port}" in told
        assert takes_connections(port)
        assert f"runs already on {HOST}:{port}" in command("start")
    finally:
        told = command("stop")
    assert told == "Kafka is stopped.\n"
    assert not takes_connections(port)
    assert command("stop") == "No Kafka runs.\n"


@pytest.mark.kafka
@needs_java
def test_a_broker_that_cannot_start_says_its_last_words_and_leaves_nothing(tmp_path: Path) -> None:
    with Broker.open(tmp_path / "kafka"):
        pass
    (tmp_path / "kafka" / "data" / "meta.properties").write_text("version=1\nnode.id=99\n")
    with pytest.raises(Unavailable, match=r"last words(.|\n)*cluster\.id was not found"):
        Broker.open(tmp_path / "kafka")
    assert Place(tmp_path / "kafka").running() is None


def test_a_process_that_took_the_number_of_a_broker_is_not_taken_for_it(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.pid_file.write_text(str(os.getpid()))
    assert place.running() is None


def test_without_docker_java_or_maven_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(NotFound, match="Java 17 or newer was not found"):
        find()
    fake = tmp_path / "java"
    fake.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    fake.chmod(stat.S_IRWXU)
    with pytest.raises(NotFound, match="Java 17 or newer was not found"):
        find()
    fake.write_text("#!/bin/sh\necho 'openjdk version \"21.0.2\"' >&2\n")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(NotFound, match=r"Maven .* was not found"):
        find()


@pytest.fixture
def pretended_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker` that answers like one with a daemon and writes down what it was asked."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(DOCKER)
    program.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return program


def test_where_a_docker_daemon_answers_the_broker_is_a_container_on_the_loopback(
    tmp_path: Path, pretended_docker: Path
) -> None:
    """What Docker itself makes of these commands was not seen: there is none where this was written."""
    broker = Broker.open(tmp_path / "kafka")
    assert broker.source == DockerImage(str(pretended_docker), f"apache/kafka:{artifacts.version()}")
    broker.kill()
    broker.restart()
    broker.stop()
    asked = [line.split() for line in (pretended_docker.parent / "docker.log").read_text().splitlines()]
    create = next(words for words in asked if words[0] == "create")
    assert f"{HOST}:{broker.port}:{broker.port}" in create
    assert [words[0] for words in asked if words[0] in ("create", "start", "kill", "stop", "rm")] == [
        *("create", "start", "kill", "start", "stop", "rm")
    ]
    assert docker.known(Place(tmp_path / "kafka")) is None
    properties = (tmp_path / "kafka" / "server.properties").read_text()
    assert f"advertised.listeners=PLAINTEXT://{HOST}:{broker.port}" in properties
    assert "${" not in properties.replace("${…}", "")


def test_a_docker_command_without_a_daemon_is_passed_over(pretended_docker: Path) -> None:
    pretended_docker.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    assert not artifacts._answers(str(pretended_docker))
