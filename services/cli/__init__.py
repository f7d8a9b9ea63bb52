"""The `microcred` command, from its first instruction to its exit code; services/cli/commands.py is the rest.

Importing what the commands need takes a second, in which Ctrl-C would end in a traceback. So nothing is
imported here that is not needed to prevent that.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

EXIT_USAGE = 64
EXIT_INTERRUPTED = 130


def main() -> None:
    """Run a command and exit. Wrong usage is 64, so that it is never taken for a verdict."""
    # One who starts a program in the background has it ignore Ctrl-C, and that stays so.
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heeded:
        signal.signal(signal.SIGINT, _leave)
    from services.cli.commands import app_of, exit_code  # noqa: PLC0415 - see above

    app = app_of(sys.argv[1:])
    if heeded:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.exit(exit_code(app))
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def _leave(_number: int, _frame: FrameType | None) -> None:
    """End at once: nothing is open yet, and an exception could be swallowed by whatever is being imported."""
    os._exit(EXIT_INTERRUPTED)
