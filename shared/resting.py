"""A wait that a stop cuts short."""

from __future__ import annotations

import asyncio
import contextlib


async def rest(stopping: asyncio.Event, wait_s: float) -> None:
    """Wait for `wait_s` seconds, or until `stopping` is set."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), wait_s)
