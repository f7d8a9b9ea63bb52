"""The consumer: takes a batch of records as one transaction, and survives whatever is in it.

    undecodable, or Rejected   will never work    halve until it is alone → bury it, park its key → go on
    StaleStream                someone was first  again, at most STALE_TRIES_MAX times, then halve
    Unavailable                not its fault      the same batch after a wait; never buried
    anything else              a bug              halve → bury with its traceback; too many a minute → stop
    FencedError                somebody else's    drop what is in hand, stand by

A record of a type that the subscription does not name is ignored and counted. Records of a parked key are
parked behind it (shared/bus/dead_letters.py). A consumer that has work and makes no progress for
PROGRESS_WAIT_S ends the process: a supervisor starts it afresh. A batch that is committed is progress, and so
is every part of long work that says so (shared/progress.py): what is slow is not ended, what stands still is.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from shared import progress, telemetry
from shared.bus import codec, dead_letters
from shared.bus.health import Health
from shared.bus.seam import FencedError, Record, Source
from shared.contracts import registry
from shared.contracts.event import PublishedEvent
from shared.database import Database
from shared.errors import MicrocredError, StaleStream, Unavailable
from shared.eventstore import Recorded, Session
from shared.resting import rest
from shared.telemetry import safe_traceback

BATCH_RECORDS_MAX = 500
POLL_WAIT_S = 1.0
STALE_TRIES_MAX = 3
RETRY_WAIT_S = 0.2
RETRY_WAIT_S_MAX = 10.0
BURIED_PER_MINUTE_MAX = 20
PROGRESS_WAIT_S = 30.0
REQUEUE_CHECK_EVERY_S = 0.5

logger = structlog.get_logger(__name__)

Prepare = Callable[[Sequence[Recorded]], Awaitable[Any]]
Handle = Callable[[Sequence[Recorded], Session, Any], Awaitable[None]]


class LaneLag:
    """Tells a service whether one of its own lanes is behind: what it does not know may be on its way.

    A Consumer binds it to itself. Before that, and while nobody can tell, the lane is taken to lag.
    """

    def __init__(self) -> None:
        self._waiting: Callable[[], Awaitable[int]] | None = None
        self.whole = True
        """Whether the lag counts every fact that was committed, see Source."""

    def bind(self, waiting: Callable[[], Awaitable[int]], whole: bool = True) -> None:
        """Ask `waiting` from now on; it returns how many records the lane has not taken."""
        self._waiting, self.whole = waiting, whole

    async def lags(self) -> bool:
        """Tell whether records wait that the lane has not taken and committed."""
        if self._waiting is None:
            return True
        try:
            return await self._waiting() > 0
        except Unavailable:
            return True


@dataclass(frozen=True, slots=True)
class Subscription:
    """One lane of a service: which events, and the one handler that takes them, a batch at a time.

    `prepare` runs before the transaction, for slow work that must not hold locks; its result is handed to
    `handle` (None without it). What may take longer than PROGRESS_WAIT_S has to say that it gets on
    (shared/progress.py). `handle` gets the records that were not taken before, in order. `name` is
    `{service}.{verb}` and is stored: renaming it means reading everything again. `lag` is for a service that
    has to know whether this lane is behind. With `own_log` the events are the service's own, and it reads
    them in its log whatever the bus: one member at a time (ADR 0028).
    """

    name: str
    events: tuple[type[PublishedEvent], ...]
    handle: Handle
    prepare: Prepare | None = None
    batch_records_max: int = BATCH_RECORDS_MAX
    lag: LaneLag | None = None
    own_log: bool = False

    def __post_init__(self) -> None:
        service = self.name.partition(".")[0]
        if self.own_log and any(event.TOPIC.producer != service for event in self.events):
            raise ValueError(f"{self.name}: not all of its events are in the log of {service}.")


class TooManyBuriedError(Exception):
    """So many records fail that the fault is ours: the consumer stops rather than bury the whole log."""


class Consumer:
    """Runs one Subscription on one Source against the service's own Database."""

    def __init__(self, subscription: Subscription, source: Source, database: Database) -> None:
        self.subscription = subscription
        self.health = Health()
        self._source = source
        self._database = database
        self._types = set(registry.stored_types(subscription.events))
        self._stopping = asyncio.Event()
        self._buried_at: deque[float] = deque()
        self._requeue_checked_at = 0.0
        if subscription.lag is not None:
            subscription.lag.bind(self.lag, source.lag_is_whole)

    @property
    def name(self) -> str:
        return self.subscription.name

    def stop(self) -> None:
        """Finish the batch in hand, or cut the wait for one, then end `run`."""
        self._stopping.set()

    async def run(self) -> None:
        """Take batches until stopped. Raises TooManyBuriedError when the fault is in the code."""
        try:
            with progress.told_to(self.health.progressed):
                await self._run_until_stopped()
        except Exception as cause:
            self.health.stopped = f"stopped: {type(cause).__name__}"
            logger.error("consumer stopped", consumer=self.name, error=safe_traceback(cause))
            raise
        finally:
            await self._source.close()

    async def _run_until_stopped(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._turn()
                self.health.unavailable_since = None
            except FencedError:
                logger.warning("fenced: another member took over", consumer=self.name)
                await self._source.rewind()
            except Unavailable as cause:
                await self._wait_out(cause, RETRY_WAIT_S)
                await self._source.rewind()  # part of a batch may be in hand

    async def _turn(self) -> None:
        await self._requeue_where_asked()
        self.health.progressed()
        records = await self._poll()
        if not records:
            return
        began = time.monotonic()
        await self._take(records)
        await self._source.acknowledge(records)
        telemetry.BATCH_RECORDS.labels(self.name).observe(len(records))
        telemetry.BATCH_SECONDS.labels(self.name).observe(time.monotonic() - began)

    async def _poll(self) -> Sequence[Record]:
        """Wait for records or for the stop, whichever is first; none if the stop was.

        A poll that was cut is this member's last, and loses nothing: what it had in hand is neither marked
        nor acknowledged, so whoever polls next, after a restart or elsewhere, gets it.
        """
        polling = asyncio.create_task(self._source.poll(self.subscription.batch_records_max, POLL_WAIT_S))
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((polling, stopped), return_when=asyncio.FIRST_COMPLETED)
            return polling.result() if polling.done() else ()
        finally:
            polling.cancel()
            stopped.cancel()
            await asyncio.gather(polling, stopped, return_exceptions=True)

    async def _take(self, records: Sequence[Record]) -> None:
        """Get `records` behind us: as one transaction, or, where that fails for good, in halves."""
        wait_s = RETRY_WAIT_S
        while True:
            try:
                failure = await _failure_of(lambda: self._attempt(records))
                break
            except Unavailable as cause:
                await self._wait_out(cause, wait_s)
                if self._stopping.is_set():
                    raise
                wait_s = min(wait_s * 2, RETRY_WAIT_S_MAX)
        if failure is None:
            return None
        if len(records) == 1:
            return await self._bury(records[0], failure)
        half = len(records) // 2
        await self._take(records[:half])
        await self._take(records[half:])
        return None

    async def _attempt(self, records: Sequence[Record]) -> None:
        wanted = [record for record in records if codec.event_type(record) in self._types]
        decoded = [codec.decode(record) for record in wanted]
        waiting, prepared = await self._prepare(decoded)
        async with self._database.session() as session:
            parked = await self._park(session, wanted, decoded)
            if waiting - parked:
                raise StaleStream("A key was requeued while its later records stood aside: prepare again.")
            open_to_us = [event for event in decoded if event.key not in parked] if parked else decoded
            fresh = await self._claim(session, open_to_us)
            if fresh:
                await self.subscription.handle(fresh, session, prepared)
            await self._source.mark(session, records)
        self._count(records=len(records), wanted=len(wanted), open_to_us=len(open_to_us), fresh=len(fresh))
        self.health.progressed()
        self.health.unavailable_since = None

    async def _prepare(self, events: Sequence[Recorded]) -> tuple[set[str], Any]:
        """Prepare the events of keys that do not wait; returns the keys that do, and what was prepared.

        A record that is to be parked is not prepared: what fails in it must wait behind what failed before.
        """
        prepare = self.subscription.prepare
        if prepare is None or not events:
            return set(), None
        async with self._database.connection() as connection:
            keys = (event.key for event in events)  # made only where something waits
            waiting = await dead_letters.waiting_keys(connection, self.name, keys)
        ready = [event for event in events if event.key not in waiting] if waiting else events
        return waiting, await prepare(ready) if ready else None

    def _count(self, records: int, wanted: int, open_to_us: int, fresh: int) -> None:
        outcomes = {
            "handled": fresh,
            "repeated": open_to_us - fresh,
            "parked": wanted - open_to_us,
            "ignored": records - wanted,
        }
        for outcome, number in outcomes.items():
            if number:
                telemetry.RECORDS.labels(self.name, outcome).inc(number)

    async def _claim(self, session: Session, events: Sequence[Recorded]) -> list[Recorded]:
        """Return the events that nobody took before, each once however often the bus delivered it."""
        unseen = await session.claim(self.name, [event.id for event in events])
        fresh = []
        for event in events:
            if event.id in unseen:
                unseen.remove(event.id)
                fresh.append(event)
        return fresh

    async def _park(
        self, session: Session, records: Sequence[Record], decoded: Sequence[Recorded]
    ) -> set[str]:
        """Put records behind a buried one of their key, save those that were handled before it was buried."""
        keys = await dead_letters.parked_keys(
            session.connection, self.name, [record.key for record in records]
        )
        if keys:
            waiting = [pair for pair in zip(records, decoded, strict=True) if pair[0].key in keys]
            handled = await session.claimed(self.name, [event.id for _, event in waiting])
            behind = [record for record, event in waiting if event.id not in handled]
            await dead_letters.park(session.connection, self.name, behind)
        return keys

    async def _bury(self, record: Record, cause: Exception) -> None:
        expected = isinstance(cause, MicrocredError)
        error = str(cause) if expected else safe_traceback(cause)
        async with self._database.session() as session:
            await dead_letters.lock_key(session.connection, self.name, record.key)
            await dead_letters.bury(session.connection, self.name, record, error)
            await self._source.mark(session, [record])
        telemetry.RECORDS.labels(self.name, "buried").inc()
        logger.error(
            "record buried",
            correlation=record.headers.get("ce_correlation"),
            consumer=self.name,
            topic=record.topic,
            offset=record.offset,
            event_type=codec.event_type(record),
            event_id=record.headers.get("ce_id"),
            error=error,
        )
        if not expected:
            self._refuse_to_bury_everything()

    def _refuse_to_bury_everything(self) -> None:
        now = time.monotonic()
        self._buried_at.append(now)
        while self._buried_at and now - self._buried_at[0] > 60:
            self._buried_at.popleft()
        if len(self._buried_at) > BURIED_PER_MINUTE_MAX:
            raise TooManyBuriedError(
                f"{self.name} buried over {BURIED_PER_MINUTE_MAX} records in a minute for faults of its own."
            )

    async def _requeue_where_asked(self) -> None:
        if time.monotonic() - self._requeue_checked_at < REQUEUE_CHECK_EVERY_S:
            return
        self._requeue_checked_at = time.monotonic()
        async with self._database.connection() as connection:
            keys = await dead_letters.asked_keys(connection, self.name)
        for key in keys:
            await self._requeue(key)

    async def _requeue(self, key: str) -> None:
        """Replay a key's open records in order and unpark it, or say why it failed again."""
        failure = await _failure_of(lambda: self._replay(key))
        if failure is None:
            return
        error = str(failure) if isinstance(failure, MicrocredError) else safe_traceback(failure)
        async with self._database.connection() as connection:
            await dead_letters.refuse_requeue(connection, self.name, key, error)
        logger.error("requeue failed again", consumer=self.name, error=error)

    async def _replay(self, key: str) -> None:
        async with self._database.connection() as connection:
            records = await dead_letters.open_records(connection, self.name, key)
        events = [codec.decode(record) for record in records]
        prepare = self.subscription.prepare
        prepared = await prepare(events) if prepare is not None and events else None
        async with self._database.session() as session:
            await dead_letters.lock_key(session.connection, self.name, key)
            if await dead_letters.open_records(session.connection, self.name, key) != records:
                return  # more arrived while we prepared: the next check takes them all
            fresh = await self._claim(session, events)
            if fresh:
                await self.subscription.handle(fresh, session, prepared)
            await dead_letters.resolve(session.connection, self.name, key)
        telemetry.RECORDS.labels(self.name, "requeued").inc(len(fresh))
        logger.info("key requeued", consumer=self.name, records=len(fresh))

    async def _wait_out(self, cause: Unavailable, wait_s: float) -> None:
        if self.health.unavailable_since is None:
            self.health.unavailable_since = time.monotonic()
            logger.warning("waiting", consumer=self.name, reason=cause.message)
        self.health.progressed()
        await rest(self._stopping, wait_s)

    async def lag(self) -> int:
        """Return how many records wait, and show it in the metrics."""
        waiting = await self._source.lag()
        telemetry.LAG_RECORDS.labels(self.name).set(waiting)
        return waiting

    def stuck(self) -> bool:
        """Tell whether a turn has neither progressed nor waited knowingly for PROGRESS_WAIT_S."""
        return time.monotonic() - self.health.progressed_at > PROGRESS_WAIT_S


async def _failure_of(attempt: Callable[[], Awaitable[None]]) -> Exception | None:
    """Return why `attempt` fails for good, however often others wrote first; None where it does not.

    Raises Unavailable and FencedError, which are nobody's fault in the records.
    """
    tries_left = STALE_TRIES_MAX
    while True:
        try:
            await attempt()
            return None
        except (Unavailable, FencedError):
            raise
        except Exception as cause:
            if not isinstance(cause, StaleStream) or not tries_left:
                return cause
            tries_left -= 1
