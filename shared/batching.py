"""The Batcher: single commands become batches without a timer.

One flusher takes whatever arrived during its last flush, in turns from each tenant, so that one tenant's bulk
upload delays another's single request by one batch at most. The backlog is bounded, and so is each tenant's
part of it, lest one tenant shut the others out: past a limit a caller gets TooMany.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeAlias, TypeVar

import structlog

from shared import telemetry
from shared.errors import MicrocredError, StaleStream, TooMany, Unavailable
from shared.telemetry import safe_traceback

BATCH_COMMANDS_MAX = 500
BACKLOG_COMMANDS_MAX = 20_000
TENANT_COMMANDS_MAX = 2_500
STALE_TRIES_MAX = 3
STOPPING = "The service is stopping."

Command = TypeVar("Command")
Answer = TypeVar("Answer")
Asked: TypeAlias = tuple[Command, asyncio.Future[Answer], str | None]
"""A command, who waits for its answer, and the correlation of whoever asked: a flush is no one's request."""
Flush = Callable[[Sequence[Command]], Awaitable[Sequence[Answer | MicrocredError]]]

logger = structlog.get_logger(__name__)


class Batcher(Generic[Command, Answer]):
    """Collects commands per tenant and flushes them through one function.

    `flush` gets a batch and returns an answer or an error for each, in order. If it raises, the batch left
    nothing behind: Unavailable is told to all, StaleStream tried again at most STALE_TRIES_MAX times, and
    whatever else it is is isolated by halves, so that one command's fault is told to that command alone.
    """

    def __init__(self, flush: Flush[Command, Answer], batch_max: int = BATCH_COMMANDS_MAX) -> None:
        self._flush = flush
        self._batch_max = batch_max
        self._waiting: OrderedDict[str, deque[Asked[Command, Answer]]] = OrderedDict()
        self._backlog = 0
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._open = False

    async def __aenter__(self) -> Batcher[Command, Answer]:
        self._task = asyncio.create_task(self._run(), name="batcher")
        self._open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        """Refuse what has not begun, finish what has."""
        self._open = False
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for queue in self._waiting.values():
            for _command, future, _correlation in queue:
                _fail(future, Unavailable(STOPPING))
        self._waiting.clear()
        self._backlog = 0

    async def ask(self, tenant: str, command: Command) -> Answer:
        """Hand in a command and wait for its answer.

        Raises what the flush gave for it, TooMany, or Unavailable while the service stops. Who gives up
        waiting does not take the command back: it may be carried out.
        """
        if not self._open:
            raise Unavailable(STOPPING)
        queue = self._waiting.get(tenant, ())
        if self._backlog >= BACKLOG_COMMANDS_MAX or len(queue) >= TENANT_COMMANDS_MAX:
            raise TooMany("Too many commands wait; send again in a moment.", retry_after_s=1.0)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append((command, future, telemetry.correlation.get()))
        self._backlog += 1
        self._arrived.set()
        return await future

    def _next_batch(self) -> list[Asked[Command, Answer]]:
        batch: list[Asked[Command, Answer]] = []
        while self._waiting and len(batch) < self._batch_max:
            tenant, queue = self._waiting.popitem(last=False)
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

    async def _settle(self, batch: list[Asked[Command, Answer]]) -> None:
        try:
            answers = await self._attempt([command for command, _, _ in batch])
        except Unavailable as away:
            for _, future, _ in batch:
                _fail(future, away)
        except Exception as failure:
            if len(batch) > 1:
                half = len(batch) // 2
                await self._settle(batch[:half])
                await self._settle(batch[half:])
                return
            _, future, correlation = batch[0]
            if isinstance(failure, StaleStream):
                _fail(future, Unavailable("Others write to the same thing; send again."))
            else:
                if not isinstance(failure, MicrocredError):
                    logger.error("command failed", correlation=correlation, error=safe_traceback(failure))
                _fail(future, failure)
        else:
            for (_, future, _), answer in zip(batch, answers, strict=True):
                _settle_one(future, answer)

    async def _attempt(self, commands: list[Command]) -> Sequence[Answer | Exception]:
        stale_tries = 0
        while True:
            try:
                answers = await self._flush(commands)
            except StaleStream:
                stale_tries += 1
                if stale_tries > STALE_TRIES_MAX:
                    raise
            else:
                if len(answers) == len(commands):
                    return answers
                # It may have committed: to run it again in halves would be worse than to say so to all.
                wrong = ValueError(f"The flush gave {len(answers)} answers to {len(commands)} commands.")
                return [wrong] * len(commands)


def _settle_one(future: asyncio.Future[Answer], answer: Answer | Exception) -> None:
    if isinstance(answer, Exception):
        _fail(future, answer)
    elif not future.done():
        future.set_result(answer)


def _fail(future: asyncio.Future[Answer], failure: Exception) -> None:
    if not future.done():
        future.set_exception(failure)
