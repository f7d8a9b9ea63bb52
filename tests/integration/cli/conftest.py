"""The `microcred` command as people run it: a process of its own, its output, its exit code."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from shared.embedded import free_port
from shared.embedded.guard import gone_within

ROOT = Path(__file__).parent.parent.parent.parent
COMMAND = Path(sys.executable).parent / "microcred"
COHORT = ROOT / "examples" / "cohort.csv"
COMMAND_WAIT_S = 120
SAID_WAIT_S = 90
GONE_WAIT_S = 40
POLL_EVERY_S = 0.05
LEARNERS = 30
REPEATED = 2
PROCESSES = Path("/proc")

Finished = subprocess.CompletedProcess[str]


def environment(**more: str) -> dict[str, str]:
    """Return the variables of a terminal wide enough for any table, with this checkout's code."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "400", **more}


def microcred(*words: str, given: str | None = None, **variables: str) -> Finished:
    """Run a command to its end."""
    return subprocess.run(
        [COMMAND, *words],
        input=given,
        capture_output=True,
        text=True,
        timeout=COMMAND_WAIT_S,
        env=environment(**variables),
        check=False,
    )


def until(true: Callable[[], bool]) -> None:
    """Wait until `true()` holds, at most SAID_WAIT_S."""
    deadline = time.monotonic() + SAID_WAIT_S
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(POLL_EVERY_S)


def all_at_once(*commands: tuple[str, ...]) -> list[Finished]:
    """Run several commands side by side."""
    with ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(lambda words: microcred(*words), commands))


@dataclass
class Program:
    """A `microcred` that runs until it is told otherwise. What it says goes to a file."""

    words: tuple[str, ...]
    folder: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self._output = self.folder / "said"
        with self._output.open("wb") as said:
            self.process = subprocess.Popen(
                [COMMAND, *self.words],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env=environment(TMPDIR=str(self.folder)),
            )

    @property
    def said(self) -> str:
        return self._output.read_text("utf-8")

    def says(self, words: str) -> str:
        """Wait until it has said `words`; returns all that it has said."""
        deadline = time.monotonic() + SAID_WAIT_S
        while words not in self.said:
            assert self.process.poll() is None, f"it ended and said:\n{self.said}"
            assert time.monotonic() < deadline, f"it only said:\n{self.said}"
            time.sleep(POLL_EVERY_S)
        return self.said

    def family(self) -> set[int]:
        """Return every process that it started, directly or not, and every one that names its folder."""
        parents = {int(each.name): _parent(each) for each in PROCESSES.glob("[0-9]*")}
        family, found = {self.process.pid}, {self.process.pid}
        while found:
            found = {child for child, parent in parents.items() if parent in found}
            family |= found
        return (family | self.named()) - {self.process.pid}

    def named(self) -> set[int]:
        """Return every process that names the folder in its command line."""
        return {
            int(each.name)
            for each in PROCESSES.glob("[0-9]*")
            if str(self.folder).encode() in _read(each / "cmdline")
        }

    def end(self, signal: int) -> int:
        """Send `signal` and return the exit code; fails if anything that it started outlives it for long."""
        family = self.family()
        assert len(family) > 1, "there was nothing to leave behind"
        self.process.send_signal(signal)
        code = self.process.wait(COMMAND_WAIT_S)
        late = {pid for pid in family if not gone_within(pid, GONE_WAIT_S)}
        assert not late
        assert not self.named() - {self.process.pid}
        return code


def _parent(process: Path) -> int:
    stat = _read(process / "stat").decode(errors="replace")
    return int(stat.rpartition(")")[2].split()[1]) if stat else 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@contextmanager
def running(folder: Path, *words: str) -> Iterator[Program]:
    """Run `microcred` with `words`, killed at the end if it is still there."""
    program = Program(words, folder)
    try:
        yield program
    finally:
        if program.process.poll() is None:
            program.process.kill()
            program.process.wait()


@contextmanager
def serving(folder: Path, data: Path, port: int | None = None) -> Iterator[Program]:
    """Run `microcred serve` and wait until it is ready; without `port` on the one that `data` keeps."""
    chosen = () if port is None else ("--port", str(port))
    with running(folder, "serve", "--data", str(data), *chosen) as program:
        program.says("Ready.")
        yield program


@dataclass(frozen=True)
class Cohort:
    """A small cohort and what is in it, counted here and not by the program."""

    path: Path
    passed: int
    failed: int
    refused: int
    repeated: int
    emails: frozenset[str]


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """The first learners of the example, all its refused rows that name one, and two rows twice."""
    header, *rows = list(csv.reader(COHORT.open(encoding="utf-8", newline="")))
    learners = rows[:LEARNERS]
    refused = [row for row in rows if "-X" in row[0]]
    path = tmp_path_factory.mktemp("cohort") / "cohort.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *learners, *refused, *learners[:REPEATED]])
    scores = [_percent(dict(zip(header, row, strict=True))) for row in learners]
    passed = sum(score >= 60 for score in scores)
    emails = frozenset(row[header.index("learner_email")] for row in learners)
    return Cohort(path, passed, LEARNERS - passed, len(refused), REPEATED, emails)


def _percent(row: dict[str, str]) -> float:
    """Score a row by the rubric of examples/achievement.json, written out once more."""
    points = {"missing": 0, "developing": 2, "secure": 3, "excellent": 4}
    weights = {"question": 2, "method": 3, "reproducibility": 2, "communication": 3}
    reached = sum(weight * points[row[f"result:{name}"]] for name, weight in weights.items())
    return 100 * reached / (4 * sum(weights.values()))


@dataclass(frozen=True)
class Served:
    """A world that is up for the tests of a module."""

    program: Program
    data: Path
    address: str

    def run(self, *words: str, **variables: str) -> Finished:
        """Run a command on this world."""
        return microcred(*words, "--data", str(self.data), **variables)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder, port = tmp_path_factory.mktemp("served"), free_port()
    with serving(folder, folder / "data", port) as program:
        yield Served(program, folder / "data", f"http://127.0.0.1:{port}")
