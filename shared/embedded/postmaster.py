"""What `postmaster.pid` says, and how a postmaster that nobody owns any more is cleared away.

Signals go to process ids read from a file, so every one is checked first: the process must run a program
called postgres on exactly this data folder. Never a name, never a pattern.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from shared.embedded.guard import KILL_WAIT_S, alive, end, gone_within
from shared.embedded.processes import children, command_line
from shared.errors import Unavailable


@dataclass(frozen=True)
class Postmaster:
    """The lines of `postmaster.pid` that matter here; `ready` once it takes connections."""

    pid: int
    started_at: str
    ready: bool


def read(data: Path) -> Postmaster | None:
    """The postmaster that last wrote its file into `data`, running or not; None before its first lines."""
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    if len(lines) < 3:
        return None
    return Postmaster(int(lines[0]), lines[2], len(lines) >= 8 and lines[7].strip() == "ready")


def clear(data: Path) -> None:
    """End a postmaster that an earlier, killed program left on `data`, or wait for one that is ending.

    Only for whoever holds the folder's lock. Raises Unavailable where it cannot be ended.
    """
    left = read(data)
    if left is None or not alive(left.pid):
        return
    if not _runs_on(left.pid, data):
        # The pid went to a stranger since (usual after a restart in a container): PostgreSQL would
        # refuse to start for ever. It still refuses by itself if its shared memory is in use.
        (data / "postmaster.pid").unlink(missing_ok=True)
        return
    if not end(left.pid):
        raise Unavailable(f"PostgreSQL (process {left.pid}) on {data} does not end, not even killed.")


def kill(pid: int) -> None:
    """End the postmaster `pid` and all its processes as a power cut would, and wait until they are gone.

    Each backend is in a process group of its own, so a signal to the group would reach the postmaster alone.
    """
    family = [pid, *children(pid)]
    for member in family:
        try:
            os.kill(member, signal.SIGKILL)
        except ProcessLookupError:
            continue
    for member in family:
        if not gone_within(member, KILL_WAIT_S):
            raise Unavailable(f"Process {member} of PostgreSQL does not end, not even killed.")


def _runs_on(pid: int, data: Path) -> bool:
    command = command_line(pid)
    return "postgres" in command and f" -D {data} " in command
