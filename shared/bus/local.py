"""The local bus: reads the producers' event tables in the one PostgreSQL. Durable, no broker, one process.

It reads through a role that may select from `event` alone. Whatever the bus, a lane of a service's own events
reads its own log so, through its own role (ADR 0028). A consumer's cursor, one for each producer it
listens to, stands in the consumer's own schema and moves in the consumer's own transaction. A cursor is
leased: a second member stands by until the lease ends, and a member that comes back after a pause finds a
higher epoch and is fenced. The lease is renewed while a batch is in hand, so that slow work is not taken for
death: two members would otherwise fence each other for ever.

The append lock of the log (eventstore/log.py) makes `position > cursor` safe: positions become visible in
their own order.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import asyncpg

from shared.bus import codec
from shared.bus.lease import KEEP_LEASE, MARK, RELEASE, TAKE_LEASE
from shared.bus.seam import FencedError, Record
from shared.contracts import registry
from shared.contracts.event import PublishedEvent, Topic
from shared.database import Database
from shared.errors import Unavailable
from shared.eventstore import Session
from shared.eventstore.log import SCAN_POSITIONS_MAX, Connection, read_stored

LEASE_S = 3.0
RENEWALS_A_LEASE = 3
LAG_RECORDS_MAX = 100_000
POLL_EVERY_S = 0.02
POLL_EVERY_S_MAX = 0.2


@dataclass(slots=True)
class _Reader:
    """How far one producer's log was read: `position` is committed, `ahead` is handed out."""

    producer: str
    topics: dict[str, Topic]
    """By stored type: what this consumer asked for, and what was superseded by it."""
    cursor: str
    position: int = 0
    ahead: int = 0
    epoch: int = 0
    held_until: float = 0.0
    """On the monotonic clock of this process; the database's clock decides, this one only asks in time."""


class LocalSource:
    """Reads several types of events, one batch from one producer at a time, round robin."""

    lag_is_whole = True

    def __init__(
        self, consumer: str, events: Sequence[type[PublishedEvent]], own: Database, log: Database
    ) -> None:
        self._consumer = consumer
        self._own = own
        self._log = log
        by_producer: dict[str, dict[str, Topic]] = {}
        for event in events:
            topics = by_producer.setdefault(event.TOPIC.producer, {})
            topics |= dict.fromkeys(registry.types_read_as(event), event.TOPIC)
        self._readers = [
            _Reader(producer, topics, f"{consumer}<{producer}") for producer, topics in by_producer.items()
        ]
        self._by_topic = {topic.name: reader for reader in self._readers for topic in reader.topics.values()}
        self._keeper: asyncio.Task[None] | None = None
        self._pause_s = POLL_EVERY_S
        """Doubles while nothing comes, from one poll to the next: a quiet lane asks seldom."""

    async def poll(self, records_max: int, wait_s: float) -> list[Record]:
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep_leases(), name=f"lease of {self._consumer}")
        deadline = time.monotonic() + wait_s
        while True:
            for _ in self._readers:
                reader = self._readers[0]
                self._readers.append(self._readers.pop(0))
                if await self._hold(reader) and (records := await self._read(reader, records_max)):
                    self._pause_s = POLL_EVERY_S
                    return records
            pause_s, self._pause_s = self._pause_s, min(self._pause_s * 2, POLL_EVERY_S_MAX)
            if time.monotonic() + pause_s > deadline:
                await asyncio.sleep(max(0.0, deadline - time.monotonic()))
                return []
            await asyncio.sleep(pause_s)

    async def _hold(self, reader: _Reader) -> bool:
        """Tell whether this member holds the lease, taking it if it is free."""
        if reader.epoch and time.monotonic() < reader.held_until:
            return True
        asked_at = time.monotonic()
        async with self._own.connection() as connection:
            if reader.epoch and await self._renew(connection, reader):
                return True
            row = await connection.fetchrow(TAKE_LEASE, reader.cursor, LEASE_S)
        if row is None:
            return False
        reader.epoch, reader.position, reader.ahead = row["epoch"], row["position"], row["position"]
        reader.held_until = asked_at + LEASE_S
        return True

    async def _renew(self, connection: Connection, reader: _Reader) -> bool:
        """Renew the lease and write down how far there was nothing for us; False if it is another's now."""
        asked_at, epoch = time.monotonic(), reader.epoch
        position = await connection.fetchval(KEEP_LEASE, reader.cursor, epoch, LEASE_S, reader.position)
        if position is None:
            if reader.epoch == epoch:  # and not taken anew while we asked
                reader.epoch = 0
            return False
        reader.held_until = asked_at + LEASE_S
        reader.ahead = max(reader.ahead, position)
        return True

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(LEASE_S / RENEWALS_A_LEASE)
            for reader in [reader for reader in self._readers if reader.epoch]:
                with contextlib.suppress(Unavailable):
                    async with self._own.connection() as connection:
                        await self._renew(connection, reader)

    async def _read(self, reader: _Reader, records_max: int) -> list[Record]:
        """Return the next records, passing over what is not for us, SCAN_POSITIONS_MAX at a time."""
        table, types = f"{reader.producer}.event", list(reader.topics)
        while True:
            async with self._reading(reader) as connection:
                rows, reached = await read_stored(connection, reader.ahead, records_max, types, table=table)
            if not rows and reader.ahead == reader.position:
                reader.position = reached
            passed, reader.ahead = reached - reader.ahead, reached
            if rows or passed < SCAN_POSITIONS_MAX:
                return [codec.record_of_row(row) for row in rows]

    @contextlib.asynccontextmanager
    async def _reading(self, reader: _Reader) -> AsyncIterator[Connection]:
        try:
            async with self._log.connection() as connection:
                yield connection
        except (
            asyncpg.UndefinedTableError,
            asyncpg.InvalidSchemaNameError,
            asyncpg.InsufficientPrivilegeError,
        ) as cause:
            raise Unavailable(f"The log of {reader.producer} is not there yet.") from cause

    async def mark(self, session: Session, records: Sequence[Record]) -> None:
        reader = self._by_topic[records[-1].topic]
        asked_at = time.monotonic()
        moved = await session.connection.fetchval(
            MARK, reader.cursor, reader.epoch, records[-1].offset, LEASE_S
        )
        if not moved:
            raise FencedError(f"{self._consumer} was taken over by another member.")
        reader.held_until = asked_at + LEASE_S

    async def acknowledge(self, records: Sequence[Record]) -> None:
        reader = self._by_topic[records[-1].topic]
        reader.position = max(reader.position, records[-1].offset)

    async def rewind(self) -> None:
        for reader in self._readers:
            reader.ahead = reader.position
            reader.held_until = 0.0

    async def lag(self) -> int:
        waiting = 0
        for reader in self._readers:
            async with self._own.connection() as connection:
                position = await connection.fetchval(
                    "SELECT position FROM cursor WHERE name = $1", reader.cursor
                )
            async with self._reading(reader) as connection:
                waiting += await connection.fetchval(
                    f"SELECT count(*) FROM (SELECT FROM {reader.producer}.event"  # noqa: S608 - as above
                    " WHERE position > $1 AND type = ANY($2) LIMIT $3) AS waiting",
                    position or 0,
                    list(reader.topics),
                    LAG_RECORDS_MAX,
                )
        return waiting

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        with contextlib.suppress(Unavailable):
            for reader in [reader for reader in self._readers if reader.epoch]:
                async with self._own.connection() as connection:
                    await connection.execute(RELEASE, reader.cursor, reader.epoch)


class LocalBus:
    """Hands out LocalSources; `log` is a Database opened with the reading role."""

    name = "local"

    def __init__(self, log: Database) -> None:
        self._log = log

    def source(
        self, consumer: str, events: Sequence[type[PublishedEvent]], database: Database
    ) -> LocalSource:
        """Return the Source of `consumer`, which keeps its cursors in `database`."""
        return LocalSource(consumer, events, database, self._log)

    def relay(self, producer: str, database: Database) -> None:
        """Return None: the log of every service is read where it is."""

    async def close(self) -> None:
        """Close the reading pool."""
        await self._log.close()
