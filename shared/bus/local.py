"""The local bus: reads the producers' event tables in the one PostgreSQL. Durable, no broker, one process.

It reads through a role that may select from `event` alone. A consumer's cursor, one for each producer it
listens to, stands in the consumer's own schema and moves in the consumer's own transaction. A cursor is
leased: a second member stands by until the lease ends, and a member that comes back after a pause finds a
higher epoch and is fenced.

The append lock of the log (eventstore/log.py) makes `position > cursor` safe: positions become visible in
their own order.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.bus import codec
from shared.bus.seam import FencedError, Record
from shared.contracts.event import Event
from shared.contracts.registry import BY_TYPE
from shared.database import Database
from shared.errors import Unavailable
from shared.eventstore import Session
from shared.eventstore.log import decode_meta

LEASE_S = 10.0
POLL_EVERY_S = 0.02
POLL_EVERY_S_MAX = 0.2

TAKE_LEASE = """
INSERT INTO cursor AS held (name, held_until, epoch)
VALUES ($1, now() + make_interval(secs => $2), 1)
ON CONFLICT (name) DO UPDATE
  SET epoch = held.epoch + 1, held_until = now() + make_interval(secs => $2)
  WHERE held.held_until < now()
RETURNING position, epoch
"""
KEEP_LEASE = """
UPDATE cursor SET held_until = now() + make_interval(secs => $3), position = greatest(position, $4)
WHERE name = $1 AND epoch = $2 RETURNING 1
"""
MARK = """
UPDATE cursor SET position = $3, moved_at = now(), held_until = now() + make_interval(secs => $4)
WHERE name = $1 AND epoch = $2 RETURNING 1
"""
RELEASE = "UPDATE cursor SET held_until = '-infinity' WHERE name = $1 AND epoch = $2"


@dataclass(slots=True)
class _Reader:
    """How far one producer's log was read: `position` is committed, `ahead` is handed out."""

    producer: str
    types: list[str]
    position: int = 0
    ahead: int = 0
    epoch: int = 0
    held_until: float = 0.0
    """On the monotonic clock of this process; the database's clock decides, this one only asks in time."""


class LocalSource:
    """Reads several types of events, one batch from one producer at a time, round robin."""

    def __init__(self, consumer: str, events: Sequence[type[Event]], own: Database, log: Database) -> None:
        self._consumer = consumer
        self._own = own
        self._log = log
        self._readers = [
            _Reader(producer, [event.TYPE for event in events if event.TOPIC.producer == producer])
            for producer in dict.fromkeys(event.TOPIC.producer for event in events)
        ]

    async def poll(self, records_max: int, wait_s: float) -> list[Record]:
        deadline = time.monotonic() + wait_s
        pause_s = POLL_EVERY_S
        while True:
            for _ in self._readers:
                reader = self._readers[0]
                self._readers.append(self._readers.pop(0))
                if await self._hold(reader) and (records := await self._read(reader, records_max)):
                    return records
            if time.monotonic() + pause_s > deadline:
                await asyncio.sleep(max(0.0, deadline - time.monotonic()))
                return []
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, POLL_EVERY_S_MAX)

    async def _hold(self, reader: _Reader) -> bool:
        """Take the lease if it is free, keep it before it runs out; False while another member holds it."""
        if reader.epoch and time.monotonic() < reader.held_until - LEASE_S / 2:
            return True
        name = self._cursor_name(reader)
        asked_at = time.monotonic()
        async with self._own.connection() as connection:
            if reader.epoch:
                if await connection.fetchval(KEEP_LEASE, name, reader.epoch, LEASE_S, reader.position):
                    reader.held_until = asked_at + LEASE_S
                    return True
                reader.epoch = 0
            row = await connection.fetchrow(TAKE_LEASE, name, LEASE_S)
        if row is None:
            return False
        reader.epoch, reader.position, reader.ahead = row["epoch"], row["position"], row["position"]
        reader.held_until = asked_at + LEASE_S
        return True

    async def _read(self, reader: _Reader, records_max: int) -> list[Record]:
        async with self._log.connection() as connection:
            rows = await connection.fetch(
                # The head is read in the same snapshot: behind it nothing of these types is missing.
                f"""
                WITH head AS (SELECT coalesce(max(position), 0) AS position FROM {reader.producer}.event)
                SELECT e.position, e.issuer_id, e.stream, e.version, e.type, e.data, e.meta::text AS meta,
                       e.id, e.at, head.position AS head
                FROM head LEFT JOIN {reader.producer}.event e
                  ON e.position > $1 AND e.position <= head.position AND e.type = ANY($2)
                ORDER BY e.position LIMIT $3
                """,  # noqa: S608 - the producer's name comes from shared/contracts/topics.py
                reader.ahead,
                reader.types,
                records_max,
            )
        if rows[0]["position"] is None:
            if reader.ahead == reader.position:
                reader.position = max(reader.position, rows[0]["head"])
                reader.ahead = reader.position
            return []
        records = [_record(row) for row in rows]
        reader.ahead = records[-1].offset
        return records

    async def mark(self, session: Session, records: Sequence[Record]) -> None:
        reader = self._reader_of(records[-1])
        moved = await session.connection.fetchval(
            MARK, self._cursor_name(reader), reader.epoch, records[-1].offset, LEASE_S
        )
        if not moved:
            raise FencedError(f"{self._consumer} was taken over by another member.")

    async def acknowledge(self, records: Sequence[Record]) -> None:
        reader = self._reader_of(records[-1])
        reader.position = records[-1].offset
        reader.held_until = time.monotonic() + LEASE_S / 2

    async def rewind(self) -> None:
        for reader in self._readers:
            reader.epoch = 0
            reader.ahead = reader.position

    async def lag(self) -> int:
        waiting = 0
        for reader in self._readers:
            async with self._own.connection() as connection:
                row = await connection.fetchval(
                    "SELECT position FROM cursor WHERE name = $1", self._cursor_name(reader)
                )
            async with self._log.connection() as connection:
                waiting += await connection.fetchval(
                    f"SELECT count(*) FROM {reader.producer}.event WHERE position > $1 AND type = ANY($2)",  # noqa: S608
                    row or 0,
                    reader.types,
                )
        return waiting

    async def close(self) -> None:
        for reader in self._readers:
            if reader.epoch:
                try:
                    async with self._own.connection() as connection:
                        await connection.execute(RELEASE, self._cursor_name(reader), reader.epoch)
                except Unavailable:
                    return

    def _cursor_name(self, reader: _Reader) -> str:
        return f"{self._consumer}<{reader.producer}"

    def _reader_of(self, record: Record) -> _Reader:
        producer = BY_TYPE[codec.event_type(record)].TOPIC.producer
        return next(reader for reader in self._readers if reader.producer == producer)


def _record(row: Any) -> Record:
    event = BY_TYPE[row["type"]]
    headers = codec.headers_of(
        row["type"],
        row["id"],
        row["at"],
        row["issuer_id"],
        row["stream"],
        row["version"],
        event.TOPIC,
        decode_meta(row["meta"]),
    )
    return Record(
        event.TOPIC.name, 0, row["position"], f"{row['issuer_id']}/{row['stream']}", headers, row["data"]
    )


class LocalBus:
    """Hands out LocalSources; `log` is a Database opened with the reading role."""

    name = "local"

    def __init__(self, log: Database) -> None:
        self._log = log

    def source(self, consumer: str, events: Sequence[type[Event]], database: Database) -> LocalSource:
        """Return the Source of `consumer`, which keeps its cursors in `database`."""
        return LocalSource(consumer, events, database, self._log)

    async def close(self) -> None:
        """Close the reading pool."""
        await self._log.close()
