"""Commands of callers and operators: decided again when somebody else wrote to the same stream first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.errors import StaleStream

STALE_TRIES_MAX = 3

Answer = TypeVar("Answer")


async def retrying(command: Callable[[], Awaitable[Answer]]) -> Answer:
    """Run `command`, which loads, decides and appends; up to STALE_TRIES_MAX times more if it was stale."""
    for _ in range(STALE_TRIES_MAX):
        try:
            return await command()
        except StaleStream:
            continue
    return await command()
