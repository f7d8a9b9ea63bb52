"""What we do around the client where it breaks: ask it in bounds, close it in bounds, keep it off dead wires.

A client that has lost its broker may answer never, be cancelled from within, or not end when it is told to.
None of that may reach whoever asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

import aiokafka.conn
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

from shared.failures import failure_of

REQUEST_WAIT_S = 10.0
CLOSE_WAIT_S = 5.0

Answer = TypeVar("Answer")


async def answered(asking: Coroutine[Any, Any, Answer], wait_s: float) -> Answer:
    """Return what a client answers within `wait_s`. Raises its error, and TimeoutError where none comes.

    It is asked in a task of its own: when a connection breaks, the client cancels what waits in it, and that
    must not end the task of whoever asked.
    """
    task = asyncio.create_task(asking)
    task.add_done_callback(failure_of)
    try:
        await asyncio.wait([task], timeout=wait_s)
    finally:
        task.cancel()
    if not task.done() or task.cancelled():
        raise TimeoutError
    return task.result()


async def dismissed(closing: Coroutine[Any, Any, None]) -> None:
    """Give a client CLOSE_WAIT_S to close; what comes of it, or does not, is of no interest any more."""
    task = asyncio.create_task(closing)
    task.add_done_callback(failure_of)
    await asyncio.wait([task], timeout=CLOSE_WAIT_S)
    task.cancel()


class Connection(AIOKafkaConnection):  # type: ignore[misc] # the client has no types
    """One that takes nothing for a wire that is gone.

    Between the loss of a connection and its notice by the client, asyncio's own loop drops what is written,
    and uvloop raises RuntimeError, which the client does not expect: the member of a group, or the producer,
    that writes in this moment is lost for good (aio-libs/aiokafka#1038).
    """

    def send(self, request: Any, expect_response: bool = True) -> Awaitable[Any]:
        """Send `request`. Raises KafkaConnectionError, which every caller in the client lives with."""
        if self._writer is not None and self._writer.is_closing():
            self.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"The connection to {self.host}:{self.port} broke.")
        sent: Awaitable[Any] = super().send(request, expect_response)
        return sent


aiokafka.conn.AIOKafkaConnection = Connection  # where every client looks for the class of its connections
