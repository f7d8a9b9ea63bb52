"""What the system tells of other processes: their command lines and their children.

From /proc where there is one, else from `ps`. A signal goes to a process id that was read from a file only
after its command line was looked at: the number may have gone to a stranger since.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

PS_WAIT_S = 10.0

_PROC = Path("/proc")


def command_line(pid: int) -> str:
    """The words of a process's command line, each followed by a space; empty where it has ended."""
    if not _PROC.joinpath("self").exists():
        return _ps("-ww", "-o", "args=", "-p", str(pid)).replace("\n", " ")
    try:
        return _PROC.joinpath(str(pid), "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    except OSError:
        return ""


def children(pid: int) -> list[int]:
    """The ids of the processes that `pid` started and that still run."""
    if not _PROC.joinpath("self").exists():
        rows = (row.split() for row in _ps("-A", "-o", "pid=,ppid=").splitlines())
        return [int(child) for child, parent in rows if int(parent) == pid]
    return [int(each.name) for each in _PROC.glob("[0-9]*") if _parent(each) == pid]


def _parent(process: Path) -> int | None:
    try:
        stat = (process / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[1])


def _ps(*arguments: str) -> str:
    answer = subprocess.run(  # noqa: S603 - fixed arguments
        ["ps", *arguments],  # noqa: S607 - wherever the system keeps it
        capture_output=True,
        text=True,
        timeout=PS_WAIT_S,
        check=False,
    )
    return answer.stdout
