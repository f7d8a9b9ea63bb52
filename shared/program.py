"""How a program of ours ends: in order when it is told to, and with which exit code."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

EXIT_REFUSED = 1
EXIT_UNAVAILABLE = 2
EXIT_STUCK = 70

Result = TypeVar("Result")


async def interruptible(work: Coroutine[Any, Any, Result]) -> Result:
    """Run `work`; SIGINT and SIGTERM cancel it, and then KeyboardInterrupt is raised."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for kind in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(kind, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def until_stopped() -> None:
    """Wait until the task is cancelled, and return."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
