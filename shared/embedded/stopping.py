"""What a server of our own has in common with the next: a block ends it in order, whatever ends the block."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self, TypeVar


class Stopping(ABC):
    """Stopped when its block ends, however that ends."""

    @abstractmethod
    def stop(self) -> None:
        """End it in order; twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


Server = TypeVar("Server", bound=Stopping)


@asynccontextmanager
async def held(start: Callable[[], Server]) -> AsyncIterator[Server]:
    """Run what `start` starts until the block ends, for async code: starting and stopping have a thread each.

    No cancel reaches into a thread. So one that comes during the start or the stop waits until that is over,
    and what was started is stopped: when the block is left, nothing works in the server's folder any more.
    """
    loop = asyncio.get_running_loop()
    starting = loop.run_in_executor(None, start)
    try:
        await _ended(starting)
        yield starting.result()
    finally:
        if starting.exception() is None:
            stopping = loop.run_in_executor(None, starting.result().stop)
            await _ended(stopping)
            stopping.result()


async def _ended(work: asyncio.Future[Any]) -> None:
    """Wait until `work` has ended, well or not; a cancel meanwhile is raised after that."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError as again:
            cancelled = again
    if cancelled is not None:
        work.exception()  # looked at, or asyncio reports it as forgotten
        raise cancelled
