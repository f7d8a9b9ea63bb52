"""The Batcher: single commands become batches without a timer.

One flusher takes whatever arrived during its last flush, in turns from each tenant, so that one tenant's bulk
upload delays another's single request by one batch at most. The backlog is bounded: past the limit a caller
gets TooMany.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import structlog

from shared.errors import MicrocredError, StaleStream, TooMany, Unavailable
from shared.telemetry import safe_traceback

BATCH_COMMANDS_MAX = 500
BACKLOG_COMMANDS_MAX = 5_000
STALE_TRIES_MAX = 3

Command = TypeVar("Command")
Answer = TypeVar("Answer")
Flush = Callable[[Sequence[Command]], Awaitable[Sequence[Answer | MicrocredError]]]

logger = structlog.get_logger(__name__)


class Batcher(Generic[Command, Answer]):
    """Collects commands per tenant and flushes them through one function.

    `flush` gets a batch and returns an answer or an error for each, in order; what it raises is retried
    (StaleStream), told to all (other MicrocredErrors), or isolated by halves (anything else).
    """

    def __init__(self, flush: Flush[Command, Answer], batch_max: int = BATCH_COMMANDS_MAX) -> None:
        self._flush = flush
        self._batch_max = batch_max
        self._waiting: OrderedDict[str, deque[tuple[Command, asyncio.Future[Answer]]]] = OrderedDict()
        self._backlog = 0
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Batcher[Command, Answer]:
        self._task = asyncio.create_task(self._run(), name="batcher")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Refuse what has not begun, finish what has."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for queue in self._waiting.values():
            for _command, future in queue:
                _fail(future, Unavailable("The service is stopping."))

    async def ask(self, tenant: str, command: Command) -> Answer:
        """Hand in a command and wait for its answer. Raises what the flush gave for it, or TooMany."""
        queue = self._waiting.setdefault(tenant, deque())
        if self._backlog >= BACKLOG_COMMANDS_MAX:
            raise TooMany("Too many commands wait; send again in a moment.", retry_after_s=1.0)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        queue.append((command, future))
        self._backlog += 1
        self._arrived.set()
        return await future

    def _next_batch(self) -> list[tuple[Command, asyncio.Future[Answer]]]:
        batch: list[tuple[Command, asyncio.Future[Answer]]] = []
        while self._waiting and len(batch) < self._batch_max:
            tenant, queue = self._waiting.popitem(last=False)
            if queue:
                batch.append(queue.popleft())
            if queue:
                self._waiting[tenant] = queue
        self._backlog -= len(batch)
        return batch

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while batch := self._next_batch():
                flushing = asyncio.ensure_future(self._settle(batch))
                try:
                    await asyncio.shield(flushing)
                except asyncio.CancelledError:
                    await flushing
                    raise

    async def _settle(self, batch: list[tuple[Command, asyncio.Future[Answer]]]) -> None:
        stale_tries = 0
        while True:
            try:
                answers = await self._flush([command for command, _ in batch])
            except StaleStream as stale:
                stale_tries += 1
                if stale_tries <= STALE_TRIES_MAX:
                    continue
                failure: Exception = Unavailable("Others write to the same things; send again.")
                failure.__cause__ = stale
            except MicrocredError as told:
                failure = told
            except Exception as bug:
                logger.error("flush failed", commands=len(batch), error=safe_traceback(bug))
                failure = bug
            else:
                for (_, future), answer in zip(batch, answers, strict=True):
                    _settle_one(future, answer)
                return
            break
        if isinstance(failure, MicrocredError) or len(batch) == 1:
            for _, future in batch:
                _fail(future, failure)
            return
        half = len(batch) // 2
        await self._settle(batch[:half])
        await self._settle(batch[half:])


def _settle_one(future: asyncio.Future[Answer], answer: Answer | MicrocredError) -> None:
    if isinstance(answer, MicrocredError):
        _fail(future, answer)
    elif not future.done():
        future.set_result(answer)


def _fail(future: asyncio.Future[Answer], failure: Exception) -> None:
    if not future.done():
        future.set_exception(failure)
