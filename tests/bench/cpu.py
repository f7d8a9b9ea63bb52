"""CPU time by who spent it: this process, its canonicalisation workers, PostgreSQL, the broker."""

from __future__ import annotations

import time
from dataclasses import dataclass

import psutil

MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of CPU (user and system) and of wall-clock time."""

    python: float
    workers: float
    postgres: float
    broker: float
    wall: float

    def since(self, before: Spent) -> Spent:
        """Return what was spent after `before`."""
        return Spent(
            self.python - before.python,
            self.workers - before.workers,
            self.postgres - before.postgres,
            self.broker - before.broker,
            self.wall - before.wall,
        )

    def each(self, number: int) -> tuple[float, float, float, float]:
        """Return microseconds of CPU of Python, workers, PostgreSQL and the broker for one of `number`."""
        per_one = MICROSECONDS / number
        spent = self.python, self.workers, self.postgres, self.broker
        return spent[0] * per_one, spent[1] * per_one, spent[2] * per_one, spent[3] * per_one


def read(postmaster_pid: int, broker_pid: int | None = None, not_ours: int = 0) -> Spent:
    """Return what was spent so far; PostgreSQL includes its backends that have ended.

    `not_ours` is the id of a child process that does none of the house's work, such as the uploading client.
    """
    us = psutil.Process()
    postmaster = psutil.Process(postmaster_pid)
    servers = [postmaster, *postmaster.children(recursive=True)]
    ended = postmaster.cpu_times()
    postgres = sum(_own(process) for process in servers) + ended.children_user + ended.children_system
    broker = psutil.Process(broker_pid) if broker_pid is not None else None
    others = {not_ours, broker_pid, *(process.pid for process in servers)}
    workers = sum(_own(child) for child in us.children(recursive=True) if child.pid not in others)
    java = _own(broker) if broker is not None else 0.0
    return Spent(_own(us), workers, postgres, java, time.perf_counter())


def _own(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system
