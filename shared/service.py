"""How services run: migrations, resources, consumers and loops, started and stopped in order.

A service is a value; `build()` in services/<name>/service.py makes it and does nothing else. `running()`
starts any number of them in one process. Stop is the reverse of start: not ready → stop taking → finish the
batch in hand → commit → close.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from fastapi import APIRouter

from shared import telemetry
from shared.bus.consumer import PROGRESS_WAIT_S, Consumer, Subscription, TooManyBuriedError
from shared.bus.local import LocalSource
from shared.bus.seam import BrokenError, Bus, Relay, Source
from shared.database import SHARED_MIGRATIONS, Database, migrate, read_migrations
from shared.errors import Conflict, Unavailable
from shared.failures import failure_of
from shared.program import EXIT_REFUSED, EXIT_STUCK
from shared.resting import rest

STOP_WAIT_S = 20.0
HOUSEKEEPING_EVERY_S = 5.0
INBOX_KEPT_DAYS = 30
SETTLE_POLL_S = 0.02
LOOP_AGAIN_AFTER_S = 5.0

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Loop:
    """Work of a service that no record or request triggers. `run` ends soon after its event is set.

    `pending` tells how much of it is due now; zero means idle. A `run` that fails is begun again after
    LOOP_AGAIN_AFTER_S, and until then the process is not ready; BrokenError and Conflict end the process.
    What an `outward` loop works off leaves the house, and may have to wait for a receiver, or for the lease
    of a process that died.
    """

    name: str
    run: Callable[[asyncio.Event], Coroutine[Any, Any, None]]
    pending: Callable[[], Awaitable[int]]
    outward: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """A service as its parts: routes under `/{name}`, routes at signed addresses, lanes, loops.

    `resources` are entered before anything runs and left after everything has stopped.
    `body_bytes_max` names path endings with a limit of their own.
    """

    name: str
    database: Database
    migrations: Path
    api: APIRouter
    public: APIRouter
    subscriptions: tuple[Subscription, ...]
    loops: tuple[Loop, ...] = ()
    resources: tuple[AbstractAsyncContextManager[Any], ...] = ()
    body_bytes_max: dict[str, int] = field(default_factory=dict)


class Running:
    """Services at work in this process."""

    def __init__(self, services: Sequence[Service], bus: Bus) -> None:
        self.services = tuple(services)
        self.consumers = [
            Consumer(lane, _source(lane, service.database, bus), service.database)
            for service in services
            for lane in service.subscriptions
        ]
        self.relays = [
            relay for service in services if (relay := bus.relay(service.name, service.database)) is not None
        ]
        self._loops = [loop for service in services for loop in service.loops]
        self._failed: dict[str, str] = {}
        """Why, by the name of each loop that failed and was not begun again yet."""
        self._stopping = asyncio.Event()
        self.farewell: Callable[[str], None] | None = None
        """Told why before the process is ended because it cannot do its work; without it a log line tells."""
        self.draining = False
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    async def agree(self) -> None:
        """Refuse to start where the bus holds what a log does not know: raises Conflict.

        A bus that is away is asked by the relays before they publish.
        """
        for relay in self.relays:
            with contextlib.suppress(Unavailable):
                await relay.agree()

    def start(self) -> None:
        """Start every lane and loop."""
        self._tasks = [asyncio.create_task(consumer.run(), name=consumer.name) for consumer in self.consumers]
        self._tasks += [
            asyncio.create_task(relay.run(self._stopping), name=relay.name) for relay in self.relays
        ]
        attended = [(loop.name, loop.run) for loop in self._loops] + [("housekeeping", self._housekeep)]
        self._tasks += [asyncio.create_task(self._attend(name, run), name=name) for name, run in attended]
        for task in self._tasks:
            task.add_done_callback(self._end_if_broken)

    def drain(self) -> None:
        """Say `not ready` from now on: the process is about to stop, and still answers."""
        self.draining = True

    async def stop(self) -> None:
        """Finish what is in hand, at most STOP_WAIT_S, then end the rest."""
        self._stopping.set()
        for consumer in self.consumers:
            consumer.stop()
        _, late = await asyncio.wait(self._tasks, timeout=STOP_WAIT_S)
        for task in late:
            logger.error("did not stop in time", task=task.get_name())
            task.cancel()
        for task in self._tasks:
            await asyncio.gather(task, return_exceptions=True)

    def problems(self) -> dict[str, str]:
        """Return what is not fit for work, by the name of the lane or loop."""
        workers: tuple[Consumer | Relay, ...] = (*self.consumers, *self.relays)
        found = {worker.name: problem for worker in workers if (problem := worker.health.problem())}
        found |= self._failed
        for task in self._tasks:
            if task.done() and not self.stopping and task.get_name() not in found:
                found[task.get_name()] = "stopped"
        return found

    async def pending(self, *, outward: bool = True) -> dict[str, int]:
        """Return how much work waits, by lane and loop, leaving out those with none, or what is `outward`."""
        waiting = {relay.name: await relay.pending() for relay in self.relays}
        waiting |= {consumer.name: await consumer.lag() for consumer in self.consumers}
        loops = [loop for loop in self._loops if outward or not loop.outward]
        waiting |= {loop.name: await loop.pending() for loop in loops}
        return {name: number for name, number in waiting.items() if number}

    async def settled(self, wait_s: float, every_s: float = SETTLE_POLL_S, *, outward: bool = True) -> None:
        """Wait until nothing waits anywhere, asking `every_s`. Raises TimeoutError naming what still does.

        Without `outward`, what leaves the house may wait on: everything in it is known by then.

        All are asked one after another, so work may pass from one that is still to be asked to one that has
        been. An answer of "nothing" counts only if no log grew while it was gathered, and relays are asked
        before lanes: what a relay brings to the bus meanwhile grows no log.
        """
        deadline = asyncio.get_running_loop().time() + wait_s
        before: list[int] | None = None
        while True:
            try:
                waiting, heads = await self.pending(outward=outward), await self._heads()
            except Unavailable as away:  # a broker that has just been started, for one
                waiting, heads = {away.message: 1}, []
            if not waiting and heads == before:
                return
            if problems := self.problems():
                raise RuntimeError(f"cannot settle: {problems}")
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError(f"not settled after {wait_s} s: {waiting or 'logs still grow'}")
            before = heads
            if waiting:
                await asyncio.sleep(every_s)

    async def _heads(self) -> list[int]:
        heads = []
        for service in self.services:
            async with service.database.connection() as connection:
                heads.append(await connection.fetchval("SELECT coalesce(max(position), 0) FROM event"))
        return heads

    async def _housekeep(self, stopping: asyncio.Event) -> None:
        """Refresh lag metrics, prune inboxes, and end a process in which a lane hangs."""
        while not stopping.is_set():
            for service in self.services:
                await _prune(service)
            for consumer in self.consumers:
                await self._check(consumer)
            for relay in self.relays:
                with contextlib.suppress(Unavailable):
                    await relay.pending()
            await rest(stopping, HOUSEKEEPING_EVERY_S)

    async def _attend(self, name: str, run: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
        """Run a loop until all stops, again after every failure: a bad row must not end its work for good."""
        while not self._stopping.is_set():
            try:
                await run(self._stopping)
            except (BrokenError, Conflict):
                raise
            except Exception as cause:
                self._failed[name] = f"failed: {type(cause).__name__}"
                logger.error("loop failed", loop=name, error=telemetry.safe_traceback(cause))
            else:
                return
            await rest(self._stopping, LOOP_AGAIN_AFTER_S)
            self._failed.pop(name)

    def _end_if_broken(self, task: asyncio.Task[None]) -> None:
        """End the process of a task that ended of a failure: it does that work no more, a fresh one may.

        Not where too many records were buried: a fresh process would bury as many again.
        """
        cause = failure_of(task)
        if cause is None or self.stopping or isinstance(cause, TooManyBuriedError):
            return
        if isinstance(cause, Conflict):
            self._end(EXIT_REFUSED, "cannot go on", task.get_name(), cause.message)
        else:
            problem = str(cause) if isinstance(cause, BrokenError) else f"stopped: {type(cause).__name__}"
            self._end(EXIT_STUCK, "broken for good: ending the process", task.get_name(), problem)

    async def _check(self, consumer: Consumer) -> None:
        try:
            waiting = await consumer.lag()
        except Unavailable:
            return
        if waiting and consumer.stuck() and consumer.health.stopped is None:
            self._end(
                EXIT_STUCK,
                "a lane hangs with work waiting: ending the process",
                consumer.name,
                f"It has work and did not get on for {PROGRESS_WAIT_S:.0f} s.",
            )

    def _end(self, code: int, event: str, task: str, problem: str) -> None:
        if self.farewell is None:
            logger.critical(event, task=task, problem=problem)
        else:
            self.farewell(f"{task}: {problem}")
        os._exit(code)


def _source(lane: Subscription, own: Database, bus: Bus) -> Source:
    if lane.own_log:
        return LocalSource(lane.name, lane.events, own, own)
    return bus.source(lane.name, lane.events, own)


async def _prune(service: Service) -> None:
    try:
        async with service.database.connection() as connection:
            await connection.execute(
                "DELETE FROM inbox WHERE ctid IN (SELECT ctid FROM inbox"
                " WHERE seen_at < now() - make_interval(days => $1) LIMIT 10000)",
                INBOX_KEPT_DAYS,
            )
            rows = await connection.fetch(
                "SELECT consumer, count(*) AS open FROM dead_letter WHERE resolved_at IS NULL GROUP BY 1"
            )
    except Unavailable:
        return
    for subscription in service.subscriptions:
        telemetry.DEAD_LETTERS.labels(subscription.name).set(0)
    for row in rows:
        telemetry.DEAD_LETTERS.labels(row["consumer"]).set(row["open"])


async def migrate_service(service: Service) -> None:
    """Bring the service's schema up to date: the shared tables first, then its own."""
    wanted = read_migrations("shared", SHARED_MIGRATIONS) + read_migrations(service.name, service.migrations)
    await migrate(service.database, wanted)


@asynccontextmanager
async def running(services: Sequence[Service], bus: Bus) -> AsyncIterator[Running]:
    """Run `services` on `bus` until the block ends; the databases and the bus are closed with them."""
    async with AsyncExitStack() as stack:
        stack.push_async_callback(bus.close)
        for service in services:
            stack.push_async_callback(service.database.close)
        for service in services:
            await migrate_service(service)
        for service in services:
            for resource in service.resources:
                await stack.enter_async_context(resource)
        house = Running(services, bus)
        await house.agree()
        house.start()
        stack.push_async_callback(house.stop)
        yield house
