"""The small process between a program and its server, so that neither outlives the other by accident.

    program ──stdin pipe──▶ guard ──parent of──▶ postgres, or a Kafka broker

It starts the command it is given and waits. When the pipe closes, because the program asked for a stop, ended
or was killed with -9, it shuts the server down and ends. A signal to the parent's death
(`PR_SET_PDEATHSIG`) cannot do this: it fires when the *thread* that started the child ends, exists on Linux
alone, and leaves no orderly shutdown.

It runs as a file of its own (`python -I -S guard.py command…`), in a session of its own, and so imports the
standard library alone. Signals of a terminal or a service manager do not move it: the program decides.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

FAST_STOP_WAIT_S = 20.0
IMMEDIATE_STOP_WAIT_S = 5.0
KILL_WAIT_S = 5.0
POLL_WAIT_S = 0.02

STOP_LADDER = (
    (signal.SIGINT, FAST_STOP_WAIT_S),  # end sessions, write a checkpoint; a broker: close its logs
    (
        signal.SIGQUIT,
        IMMEDIATE_STOP_WAIT_S,
    ),  # leave at once, recover at the next start; Java: say where it hangs
    (signal.SIGKILL, KILL_WAIT_S),
)
STOP_WAIT_S_MAX = FAST_STOP_WAIT_S + IMMEDIATE_STOP_WAIT_S + KILL_WAIT_S


def alive(pid: int) -> bool:
    """Whether a process runs under `pid`; one that ended and was not yet collected does not.

    Its first thread may have ended before the others, which hold its files and ports until they end too.
    """
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return state.rpartition(")")[2].split()[0] not in "ZX" or len(os.listdir(f"/proc/{pid}/task")) > 1
    except ProcessLookupError:
        return False
    except OSError:  # not ours to signal, or a system without /proc
        return True


def gone_within(pid: int, wait_s: float) -> bool:
    """Wait until `pid` has ended, for at most `wait_s`; whether it did."""
    deadline = time.monotonic() + wait_s
    while alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_WAIT_S)
    return True


def end(pid: int) -> bool:
    """Shut the server `pid` down, ever less politely; whether it is gone after STOP_WAIT_S_MAX."""
    for number, wait_s in STOP_LADDER:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return True
        if gone_within(pid, wait_s):
            return True
    return False


def _end_with_the_pipe(pid: int) -> None:
    while os.read(0, 1024):
        pass
    end(pid)


def main(command: list[str]) -> int:
    """Run `command` until it ends or standard input does; its exit status."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A handler, not SIG_IGN: what is ignored here would be ignored by the server too.
        signal.signal(number, lambda *_: None)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - the caller's fixed command
    threading.Thread(target=_end_with_the_pipe, args=(child.pid,), daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
