"""Finds what a broker can be run from: a Docker daemon that answers, else Java and Kafka's Maven artifacts.

The artifacts of deploy/kafka/pom.xml are fetched once into the user's cache, in a folder named after what
that file asks for. Whether Docker is there is asked of its daemon: the command alone is often installed
without one.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shared.errors import NotFound, Unavailable

JAVA_MAJOR_MIN = 17
DOCKER_WAIT_S = 10.0
VERSION_WAIT_S = 30.0
FETCH_WAIT_S = 900.0
FETCH_LINES_SHOWN_MAX = 15

DEPLOY = Path(__file__).parents[3] / "deploy" / "kafka"
POM = DEPLOY / "pom.xml"
IMAGE = "apache/kafka"

Say = Callable[[str], None]


def silent(_: str) -> None:
    """Say nothing about progress."""


@dataclass(frozen=True)
class DockerImage:
    """A broker as a container of this image, run through the `docker` command."""

    docker: str
    image: str

    def __str__(self) -> str:
        return f"{self.image} in Docker"


@dataclass(frozen=True)
class MavenArtifacts:
    """A broker as a Java program; `jars` is empty until `fetch` was called."""

    java: str
    version: str

    def __str__(self) -> str:
        return f"Apache Kafka {self.version} from its Maven artifacts"


def version() -> str:
    """The version of Apache Kafka that deploy/kafka/pom.xml names."""
    found = re.search(r"<kafka\.version>([^<]+)</kafka\.version>", POM.read_text("utf-8"))
    if found is None:
        raise NotFound("kafka-version-missing", f"{POM} names no kafka.version.")
    return found.group(1)


def find() -> DockerImage | MavenArtifacts:
    """What a broker can be run from here, best first. Raises NotFound with a sentence on what to install."""
    if not POM.is_file():
        raise NotFound(
            "kafka-missing", f"{POM} is not there: a broker is started from the source tree alone."
        )
    docker = shutil.which("docker")
    if docker is not None and _answers(docker):
        return DockerImage(docker, f"{IMAGE}:{version()}")
    java = _java()
    if java is not None and (jars_folder().is_dir() or shutil.which("mvn")):
        return MavenArtifacts(java, version())
    missing = f"Java {JAVA_MAJOR_MIN} or newer" if java is None else "Maven (the command mvn)"
    raise NotFound(
        "kafka-missing",
        f"No Docker daemon answers, and {missing} was not found. Start Docker, or install Java "
        f"{JAVA_MAJOR_MIN} and Maven (on Debian: openjdk-17-jre-headless, maven), or name a broker.",
    )


def jars_folder() -> Path:
    """Where the artifacts of this pom.xml are kept, fetched or not."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    asked = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    return cache / "microcred" / f"kafka-{version()}-{asked}"


def fetch(say: Say = silent) -> Path:
    """The folder with every jar of the broker, fetched with Maven if it is not there yet.

    Raises NotFound where Maven is missing and Unavailable with Maven's last words where it fails.
    """
    folder = jars_folder()
    if folder.is_dir():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise NotFound("maven-missing", f"Maven (the command mvn) is needed once, to fill {folder}.")
    say(f"Fetching Apache Kafka {version()} with Maven (about 45 MB), once")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetching-") as making:
        answer = subprocess.run(  # noqa: S603 - a fixed command
            [
                *(maven, "--batch-mode", "--quiet", "--strict-checksums", "--file", str(POM)),
                *(
                    "dependency:copy-dependencies",
                    "-DincludeScope=runtime",
                    f"-DoutputDirectory={making}/jars",
                ),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=FETCH_WAIT_S,
            check=False,
        )
        if answer.returncode:
            said = "\n".join(answer.stdout.decode(errors="replace").splitlines()[-FETCH_LINES_SHOWN_MAX:])
            raise Unavailable(f"Maven could not fetch Apache Kafka. Its last words:\n{said}")
        try:
            Path(making, "jars").rename(folder)
        except OSError:
            if not folder.is_dir():  # else somebody else fetched the same meanwhile
                raise
    return folder


def _answers(docker: str) -> bool:
    try:
        asked = subprocess.run(  # noqa: S603 - a fixed command
            [docker, "version", "--format", "{{.Server.Version}}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DOCKER_WAIT_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return asked.returncode == 0 and bool(asked.stdout.strip())


def _java() -> str | None:
    """The first Java that is new enough: of JAVA_HOME, else of the PATH."""
    home = os.environ.get("JAVA_HOME")
    for java in (home and str(Path(home, "bin", "java")), shutil.which("java")):
        if java and (_java_major(java) or 0) >= JAVA_MAJOR_MIN:
            return java
    return None


def _java_major(java: str) -> int | None:
    """`17` for `openjdk version "17.0.15"`; None where it does not run (macOS has such a stub)."""
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed command
            [java, "-version"], capture_output=True, text=True, timeout=VERSION_WAIT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(\d+)', answer.stderr + answer.stdout)
    return int(found.group(1)) if found else None


def say_on_standard_error(sentence: str) -> None:
    """Tell a waiting person what takes long."""
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201 - progress of a command
