"""The relay: brings a service's own events onto the bus, in the order of its log.

    read the log after the cursor → publish → wait until the bus has it → advance the cursor

The log is the outbox: there is no other table, and no event is marked; what its service keeps to itself is
passed over. The append lock of the log (eventstore/log.py) makes `position > cursor` safe. One relay a
service holds the lease of the cursor; others stand by. While one batch is on its way the next one is read,
and never sent: an event that overtook a failed batch would be out of order.

The cursor moves after the acknowledgement, so nothing is lost. Published twice is what was on its way when
a relay was killed, cut off from its database, or paused: it, or its successor, sends that batch again. A
relay that was paused for longer than its lease sends no further batch: it looks at the clock before each
one, and its epoch is refused when it advances. What its client had already taken in hand may still go out
late, as a repetition: the first copies of all it publishes stand on the bus in the order of the log, and the
inbox of a consumer takes each event id once.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any, Protocol

import structlog

from shared import telemetry
from shared.bus import codec
from shared.bus.agreement import Tails, agree, topics_of
from shared.bus.health import Health
from shared.bus.lease import KEEP_LEASE, MARK, RELEASE, TAKE_LEASE
from shared.bus.seam import FencedError, Record
from shared.contracts import registry
from shared.contracts.event import Topic
from shared.database import Database
from shared.errors import Unavailable
from shared.eventstore import log
from shared.failures import failure_of
from shared.resting import rest
from shared.telemetry import safe_traceback

CURSOR = "relay"
LEASE_S = 5.0
RENEWALS_A_LEASE = 3
ACKNOWLEDGED_WAIT_S = 15.0
"""Silence after which a producer is replaced: one that is wedged, or knows a broker that is no more."""
BATCH_EVENTS_MAX = 1_000
AGREE_EVERY_S = 5.0
POLL_EVERY_S = 0.01
POLL_EVERY_S_MAX = 0.1
RETRY_WAIT_S = 0.2
RETRY_WAIT_S_MAX = 5.0
LAG_EVENTS_MAX = 100_000

KEPT = registry.stored_types(registry.KEPT)
"""Everything else is published, or refused as unknown: what a newer program appended is not passed over."""
POSITION = "SELECT position FROM cursor WHERE name = $1"
SET_BACK = """
UPDATE cursor
SET position = least(position, $2), epoch = epoch + 1, held_until = now() + make_interval(secs => $3)
WHERE name = $1 RETURNING position
"""
LAG = """
SELECT count(*) FROM (
  SELECT FROM event
  WHERE position > coalesce((SELECT position FROM cursor WHERE name = $1), 0) AND type <> ALL($2) LIMIT $3
) AS waiting
"""

logger = structlog.get_logger(__name__)


class Producer(Protocol):
    """What a relay publishes with."""

    async def send(self, records: Sequence[Record]) -> list[asyncio.Future[Any]]:
        """Hand records over in order; each future ends when the bus has its share. Raises Unavailable."""

    def refusal(self, cause: BaseException) -> Exception:
        """Return what the error of such a future means: Unavailable or BrokenError."""

    async def tails(self, topics: Sequence[Topic]) -> Tails:
        """Return what `topics` end with. Raises Unavailable."""

    async def close(self) -> None:
        """Give up what was not acknowledged, and every connection; `send` connects anew."""


class Relay:
    """Publishes the log of one service."""

    def __init__(self, name: str, database: Database, producer: Producer) -> None:
        self.name = name
        self.health = Health()
        self._database = database
        self._producer = producer
        self._epoch = 0
        self._position = 0
        self._held_until = 0.0
        """On the monotonic clock of this process, and never later than the database's."""
        self._agreed_at: float | None = None
        """When bus and log were last found to be of one history; None since the bus was away."""
        self._told = ""
        """The reason for waiting that was logged last."""
        self._ahead: list[Record] = []
        """What was read behind the cursor and not yet sent."""
        self._stopping = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Publish until `stopping`. Raises BrokenError when its producer cannot go on in this process."""
        self._stopping = stopping
        wait_s, idle_s = RETRY_WAIT_S, POLL_EVERY_S
        try:
            while not stopping.is_set():
                try:
                    busy = await self._turn()
                except (Unavailable, FencedError) as cause:
                    await self._give_up(cause)
                    await rest(stopping, wait_s)
                    wait_s = min(wait_s * 2, RETRY_WAIT_S_MAX)
                    continue
                self.health.unavailable_since = None
                wait_s = RETRY_WAIT_S
                idle_s = POLL_EVERY_S if busy else min(idle_s * 2, POLL_EVERY_S_MAX)
                if not busy:
                    await rest(stopping, idle_s)
        except Exception as cause:
            self.health.stopped = f"stopped: {type(cause).__name__}"
            logger.error("relay stopped", relay=self.name, error=safe_traceback(cause))
            raise
        finally:
            await self._producer.close()
            with contextlib.suppress(Unavailable):
                async with self._database.connection() as connection:
                    await connection.execute(RELEASE, CURSOR, self._epoch)

    async def _turn(self) -> bool:
        """Publish one batch; False if there was none, or if another relay holds the lease."""
        if self._agreed_at is None:
            await self.agree()
        if not await self._hold():
            return False
        batch = self._ahead or await self._read(self._position)
        self._ahead = []
        if not batch:
            if time.monotonic() - (self._agreed_at or 0.0) > AGREE_EVERY_S:
                await self.agree()  # who has nothing to send does not notice that the bus was away
            return False
        if time.monotonic() >= self._held_until:
            raise FencedError("The lease ran out before the batch went.")
        acknowledgements = await self._producer.send(batch)
        reading = asyncio.create_task(self._read(batch[-1].offset))
        try:
            await self._acknowledged(acknowledgements)
            await self._advance(batch[-1].offset)
            self._ahead = await reading
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        telemetry.BATCH_RECORDS.labels(self.name).observe(len(batch))
        return True

    async def agree(self) -> None:
        """Find out whether bus and log are of one history. Raises Conflict, and Unavailable.

        Without that nothing is published: after every outage it is asked anew.
        """
        tails = await self._producer.tails(topics_of(self._database.schema))
        async with self._database.connection() as connection:
            position = await connection.fetchval(POSITION, CURSOR)
            await agree(connection, self._database.schema, tails, position or 0)
        self._agreed_at = time.monotonic()

    async def _hold(self) -> bool:
        """Tell whether this relay holds the lease, taking or renewing it."""
        asked_at = time.monotonic()
        if self._epoch and asked_at < self._held_until - LEASE_S * (1 - 1 / RENEWALS_A_LEASE):
            return True
        if self._epoch:
            await self._renew()
            return True
        async with self._database.connection() as connection:
            taken = await connection.fetchrow(TAKE_LEASE, CURSOR, LEASE_S)
        if taken is None:
            return False
        self._epoch, self._position = taken["epoch"], taken["position"]
        self._held_until = asked_at + LEASE_S
        logger.info("relay holds the lease", relay=self.name, epoch=self._epoch, position=self._position)
        return True

    async def _renew(self) -> None:
        asked_at = time.monotonic()
        async with self._database.connection() as connection:
            kept = await connection.fetchval(KEEP_LEASE, CURSOR, self._epoch, LEASE_S, self._position)
        if kept is None:
            raise FencedError("Another relay took over.")
        self._position, self._held_until = max(self._position, kept), asked_at + LEASE_S

    async def _read(self, position: int) -> list[Record]:
        async with self._database.connection() as connection:
            rows, reached = await log.read_stored(connection, position, BATCH_EVENTS_MAX, KEPT, wanted=False)
        if not rows and position == self._position:
            self._position = reached  # written down with the next renewal of the lease
        return [codec.record_of_row(row) for row in rows]

    async def _acknowledged(self, acknowledgements: Sequence[asyncio.Future[Any]]) -> None:
        """Wait for every one, keeping the lease; raises what the first failure means."""
        began, waiting = time.monotonic(), set(acknowledgements)
        while waiting:
            done, waiting = await asyncio.wait(waiting, timeout=LEASE_S / RENEWALS_A_LEASE)
            if failures := [cause for each in done if (cause := failure_of(each)) is not None]:
                raise self._producer.refusal(failures[0]) from failures[0]
            if waiting and not done:
                if self._stopping.is_set():
                    raise Unavailable("The bus does not acknowledge, and this process is to stop.")
                if self.health.unavailable_since is None:
                    self.health.unavailable_since = began
                    logger.warning("waiting", relay=self.name, reason="Kafka acknowledges nothing.")
                if time.monotonic() - began > ACKNOWLEDGED_WAIT_S:
                    raise Unavailable("The bus acknowledges nothing.")
                await self._renew()

    async def _advance(self, position: int) -> None:
        asked_at = time.monotonic()
        async with self._database.connection() as connection:
            if not await connection.fetchval(MARK, CURSOR, self._epoch, position, LEASE_S):
                raise FencedError("Another relay took over.")
        self._position, self._held_until = position, asked_at + LEASE_S
        self.health.progressed_at = time.monotonic()

    async def _give_up(self, cause: Unavailable | FencedError) -> None:
        """Drop what is in hand: whoever holds the lease next reads it again from the cursor."""
        self._ahead, self._held_until = [], 0.0
        if isinstance(cause, FencedError):
            self._epoch = 0
            logger.warning("fenced: another relay took over", relay=self.name)
        else:
            self._agreed_at = None
            if self.health.unavailable_since is None:
                self.health.unavailable_since, self._told = time.monotonic(), ""
            if cause.message != self._told:  # the first reason may not be the one to act upon
                self._told = cause.message
                logger.warning("waiting", relay=self.name, reason=cause.message)
        await self._producer.close()

    async def pending(self) -> int:
        """Return how many events the bus is to have and does not, and show it in the metrics."""
        async with self._database.connection() as connection:
            waiting: int = await connection.fetchval(LAG, CURSOR, KEPT, LAG_EVENTS_MAX)
        telemetry.LAG_RECORDS.labels(self.name).set(waiting)
        return waiting


async def set_back(database: Database, position: int) -> int:
    """Have all that is published behind `position` sent again; returns how many events that is.

    Whoever relays is fenced, and nobody relays before its lease would have run out, so that nothing new goes
    out before the old. Consumers have the ids in their inboxes: a repetition has no second effect.
    """
    async with database.connection() as connection:
        if await connection.fetchval(SET_BACK, CURSOR, position, LEASE_S) is None:
            return 0
        waiting: int = await connection.fetchval(LAG, CURSOR, KEPT, LAG_EVENTS_MAX)
    return waiting
