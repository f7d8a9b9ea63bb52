"""A broker as a Java program on a folder: format once, start, wait for its word, end it.

Like PostgreSQL it runs under the guard, so that it ends when we end, however we end; `detached`, it stays
until somebody stops it by its process id. Readiness is the broker's own sentence in the log of this run.
"""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

from shared.embedded import guard
from shared.embedded.binaries import environment
from shared.embedded.kafka.class_archive import ClassArchive
from shared.embedded.kafka.place import Place
from shared.embedded.server import last_lines
from shared.errors import Unavailable

START_WAIT_S = 120.0
FORMAT_WAIT_S = 60.0
POLL_WAIT_S = 0.05
HEAP_MIB_MIN = 256
HEAP_MIB_MAX = 512
READY = b"Kafka Server started"
BRISK = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""One core's worth of collecting, and the quick compiler alone: the other one takes longer over the code of a
broker than a node for trying, tests and measuring ever runs it."""

_NAME_OWN_PID = 'echo $$ >"$0" && exec "$@"'
"""The shell writes the process id that the broker then has: a guard in between has another."""


class JavaBroker:
    """One run of Kafka on a Place. Made by `start`."""

    def __init__(
        self,
        place: Place,
        keeper: subprocess.Popen[bytes] | None = None,
        classes: ClassArchive | None = None,
    ) -> None:
        self.pid = 0
        self._classes = classes
        self._place = place
        self._keeper = keeper

    @classmethod
    def start(
        cls, place: Place, java: str, jars: Path, ports: tuple[int, int], *, detached: bool
    ) -> JavaBroker:
        """Start the broker and return once it takes clients. Raises Unavailable with the log's last lines."""
        place.write_properties(*ports, data=str(place.data))
        classes = ClassArchive.open(java, jars, writable=not detached)  # nobody of ours sees that one end
        if not place.formatted:
            _format(place, [java, *classes.reading], jars)
        place.pid_file.unlink(missing_ok=True)
        command = [
            *("/bin/sh", "-c", _NAME_OWN_PID, str(place.pid_file), java),
            *(f"-Xms{HEAP_MIB_MIN}m", f"-Xmx{HEAP_MIB_MAX}m", *BRISK, "-Djava.awt.headless=true"),
            *classes.writing,
            *_class_path(jars),
            *("kafka.Kafka", str(place.properties)),
        ]
        with place.log.open("ab") as log:
            log_start = log.tell()
            process = subprocess.Popen(  # noqa: S603 - a fixed command
                command if detached else [sys.executable, "-I", "-S", guard.__file__, *command],
                env=environment(),
                stdin=subprocess.DEVNULL if detached else subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the program first
            )
        run = cls(place, process, classes)
        try:
            run._await_ready(process, log_start)
        except BaseException as error:
            run.stop()
            if not isinstance(error, Unavailable):
                raise
            said = last_lines(place.log.read_bytes()[log_start:])
            raise Unavailable(f"{error.message} Its last words, from {place.log}:\n{said}") from error
        return run

    @classmethod
    def adopt(cls, place: Place, pid: int) -> JavaBroker:
        """Take over a broker that an earlier program left running."""
        run = cls(place)
        run.pid = pid
        return run

    def stop(self) -> None:
        """Shut the broker down in order and wait until it is gone; bounded, and twice is harmless."""
        pid = self._place.running()
        if pid is not None and not guard.end(pid):
            raise Unavailable(f"The broker (process {pid}) does not end, not even killed.")
        self._collect()

    def kill(self) -> None:
        """End the broker at once, as a power cut would; its data stays as it lies."""
        pid = self._place.running()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            if not guard.gone_within(pid, guard.KILL_WAIT_S):
                raise Unavailable(f"The broker (process {pid}) does not end, not even killed.")
        self._collect()

    def _collect(self) -> None:
        if self._keeper is not None:
            if self._keeper.stdin is not None:
                self._keeper.stdin.close()
            self._keeper.wait(guard.STOP_WAIT_S_MAX)
            self._keeper = None
        if self._classes is not None:
            self._classes.close(keep=self.pid > 0)
        self._place.pid_file.unlink(missing_ok=True)

    def _await_ready(self, process: subprocess.Popen[bytes], log_start: int) -> None:
        deadline = time.monotonic() + START_WAIT_S
        while time.monotonic() < deadline:
            with self._place.log.open("rb") as log:
                log.seek(log_start)
                ready = READY in log.read()
            if ready and (pid := self._place.running()) is not None:
                self.pid = pid
                return
            if process.poll() is not None:
                raise Unavailable("Kafka did not start.")
            time.sleep(POLL_WAIT_S)
        raise Unavailable(f"Kafka was not ready after {START_WAIT_S:.0f} s.")


def _class_path(jars: Path) -> list[str]:
    logging = Path(__file__).parents[3] / "deploy" / "kafka" / "log4j2.properties"
    return [f"-Dlog4j2.configurationFile={logging.as_uri()}", "-cp", f"{jars}/*"]


def _format(place: Place, java: list[str], jars: Path) -> None:
    done = subprocess.run(  # noqa: S603 - a fixed command
        [
            *(*java, "-Xmx128m", *BRISK, *_class_path(jars), "kafka.tools.StorageTool"),
            *("format", "--ignore-formatted", f"--cluster-id={_cluster_id()}", "-c", str(place.properties)),
        ],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=FORMAT_WAIT_S,
        check=False,
    )
    if done.returncode:
        said = last_lines(done.stdout + done.stderr)
        raise Unavailable(f"The broker's folder {place.data} could not be prepared:\n{said}")


def _cluster_id() -> str:
    """Return an id as Kafka writes them. One in 64 begins with a dash and must not look like an option."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
