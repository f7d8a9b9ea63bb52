"""What a task or future ended of."""

from __future__ import annotations

import asyncio
from typing import Any


def failure_of(ended: asyncio.Future[Any]) -> BaseException | None:
    """Return the error of what has ended, also where it was cancelled; None where it ended well.

    As a callback it takes note of an error that nobody will ask for.
    """
    return asyncio.CancelledError() if ended.cancelled() else ended.exception()
