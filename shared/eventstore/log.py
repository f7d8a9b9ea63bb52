"""Append, load and read_after on the `event` table: the only place that inserts an event.

Why an advisory lock: PostgreSQL takes an identity value before the row is visible, so a reader that polls
`position > last` can pass a position that commits later, and lose it for ever. `append` takes the lock of
its schema as the last thing before the one INSERT and holds it to the end of the transaction, so that
positions become visible in their own order. tests/integration/test_append_order.py keeps the experiment.

Refuses: a version that exists already (StaleStream).

What is made for every event is a NamedTuple: immutable like a frozen dataclass, made in a third of the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, TypeAlias
from uuid import UUID

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

from shared.clock import ordered_uuid
from shared.contracts import registry
from shared.contracts.event import Event
from shared.errors import StaleStream
from shared.uuids import uuid_of

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
StreamKey = tuple[str, str]
"""(issuer_id, stream)"""


class Meta(NamedTuple):
    """Who caused an event, and in the course of what.

    `actor` is `api-key:{prefix}`, `operator:cli`, `consumer:{lane}` or `loop:{name}`; `correlation` ties
    together all that follows from one request; `causation` is the id of the event that led here, if one did.
    """

    actor: str
    correlation: str
    causation: UUID | None = None
    traceparent: str | None = None


class Append(NamedTuple):
    """Events to add to one stream that was loaded at `expected_version` (0: the stream is new)."""

    issuer_id: str
    stream: str
    expected_version: int
    events: tuple[Event, ...]
    meta: Meta


class Recorded(NamedTuple):
    """An event as the log holds it. `position` orders the log, `version` (from 1) orders its stream."""

    position: int
    id: UUID
    issuer_id: str
    stream: str
    version: int
    at: datetime
    event: Event
    meta: Meta

    @property
    def key(self) -> str:
        """The record key of the bus: one thing's facts stay in order, and tenants never share a key."""
        return f"{self.issuer_id}/{self.stream}"


LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema(), 0))"
COLUMNS = ("issuer_id", "stream", "version", "type", "data", "meta", "id", "at")
LAST_POSITION = "SELECT currval(pg_get_serial_sequence('event', 'position'))"


async def append(connection: Connection, appends: Sequence[Append], at: datetime) -> list[Recorded]:
    """Insert all events of `appends`, in order, in one COPY under the lock of the schema.

    Call it last in a transaction: only projections and the commit may follow, since everyone else who appends
    to this schema waits. Raises StaleStream if a stream has moved on.
    """
    rows = [
        (item, item.expected_version + step, event, ordered_uuid())
        for item in appends
        for step, event in enumerate(item.events, start=1)
    ]
    if not rows:
        return []
    records = [
        (
            item.issuer_id,
            item.stream,
            version,
            event.TYPE,
            registry.encode(event),
            encode_meta(item.meta),
            event_id,
            at,
        )
        for item, version, event, event_id in rows
    ]
    await connection.execute(LOCK)
    try:
        await connection.copy_records_to_table("event", records=records, columns=COLUMNS)
    except asyncpg.UniqueViolationError as violation:
        raise StaleStream("A stream has moved on since it was loaded.") from violation
    # Nobody else takes a position while the lock is held: those of one COPY follow one another.
    first = await connection.fetchval(LAST_POSITION) - len(rows) + 1
    return [
        Recorded(position, event_id, item.issuer_id, item.stream, version, at, event, item.meta)
        for position, (item, version, event, event_id) in enumerate(rows, start=first)
    ]


LOAD = """
SELECT e.position, e.id, e.issuer_id, e.stream, e.version, e.at, e.type, e.data, e.meta::text AS meta
FROM unnest($1::text[], $2::text[]) AS wanted (issuer_id, stream)
JOIN event e ON e.issuer_id = wanted.issuer_id AND e.stream = wanted.stream
ORDER BY e.issuer_id, e.stream, e.version
"""


async def load(connection: Connection, streams: Iterable[StreamKey]) -> dict[StreamKey, list[Recorded]]:
    """Return every event of the streams, oldest first, in one query; an unknown stream gives []."""
    wanted = sorted(set(streams))
    history: dict[StreamKey, list[Recorded]] = {key: [] for key in wanted}
    if wanted:
        for row in await connection.fetch(LOAD, [key[0] for key in wanted], [key[1] for key in wanted]):
            history[(row["issuer_id"], row["stream"])].append(recorded_from_row(row))
    return history


LOAD_FROM = """
SELECT e.position, e.id, e.issuer_id, e.stream, e.version, e.at, e.type, e.meta::text AS meta,
       CASE WHEN e.version > held.version THEN e.data END AS data
FROM unnest($1::text[], $2::text[], $3::int[]) AS held (issuer_id, stream, version)
JOIN event e ON e.issuer_id = held.issuer_id AND e.stream = held.stream AND e.version >= held.version
ORDER BY e.issuer_id, e.stream, e.version
"""


async def load_from(connection: Connection, held: Iterable[Recorded]) -> dict[StreamKey, list[Recorded]]:
    """Return each stream from the event on that is `held` of it (one a stream), oldest first, in one query.

    What is held never changes, and its data is not read again; but a stream that does not have it gives [].
    """
    events = {(each.issuer_id, each.stream): each for each in held}
    history: dict[StreamKey, list[Recorded]] = {key: [] for key in events}
    if events:
        columns = ([key[0] for key in events], [key[1] for key in events])
        versions = [each.version for each in events.values()]
        for row in await connection.fetch(LOAD_FROM, *columns, versions):
            key = row["issuer_id"], row["stream"]
            history[key].append(events[key] if row["data"] is None else recorded_from_row(row))
    return {key: past if past and past[0] is events[key] else [] for key, past in history.items()}


READ_AFTER = """
SELECT position, id, issuer_id, stream, version, at, type, data, meta::text AS meta
FROM event WHERE position > $1 AND ($2::text[] IS NULL OR type = ANY($2)) ORDER BY position LIMIT $3
"""


async def read_after(
    connection: Connection, position: int, events_max: int, types: Sequence[str] | None = None
) -> list[Recorded]:
    """Return up to `events_max` events behind `position`, in the order of the log, of `types` if given."""
    rows = await connection.fetch(READ_AFTER, position, None if types is None else list(types), events_max)
    return [recorded_from_row(row) for row in rows]


SCAN_POSITIONS_MAX = 100_000
READ_STORED = """
WITH head AS (SELECT least(coalesce(max(position), 0), $4::bigint) AS position FROM {table})
SELECT e.*, head.position AS head
FROM head LEFT JOIN LATERAL (
  SELECT position, issuer_id, stream, version, type, data, meta::text AS meta, id, at
  FROM {table} WHERE position > $1 AND position <= head.position AND (type = ANY($2)) = $5
  ORDER BY position LIMIT $3
) AS e ON true
ORDER BY e.position
"""
"""The head is read in the same snapshot: up to it nothing of these types is missing. The limit stands within
the join: outside of it, all that waits would be read and sorted for every batch."""


async def read_stored(
    connection: Connection,
    position: int,
    events_max: int,
    types: Sequence[str],
    *,
    wanted: bool = True,
    table: str = "event",
) -> tuple[list[asyncpg.Record], int]:
    """Return up to `events_max` rows behind `position` as they are stored, and how far was looked for them.

    They are of `types`, or of all others where these are not `wanted`. Without a row, up to there is none;
    where that is SCAN_POSITIONS_MAX further, there may be some behind it. For whoever passes events on.
    `table` is a name from the code: another service's log has its schema before it.
    """
    upto = position + SCAN_POSITIONS_MAX
    rows = await connection.fetch(READ_STORED.format(table=table), position, types, events_max, upto, wanted)
    if rows[0]["position"] is not None:
        return rows, rows[-1]["position"]
    return [], max(position, rows[0]["head"])


def recorded_from_row(row: asyncpg.Record) -> Recorded:
    """Turn a row of LOAD or READ_AFTER into an event."""
    event = registry.decode(row["type"], row["data"])
    return Recorded(
        row["position"],
        row["id"],
        row["issuer_id"],
        row["stream"],
        row["version"],
        row["at"],
        event,
        decode_meta(row["meta"]),
    )


def encode_meta(meta: Meta) -> str:
    """Return the JSON text of the `meta` column; what is absent is left out."""
    fields = {"actor": meta.actor, "correlation": meta.correlation}
    if meta.causation is not None:
        fields["causation"] = str(meta.causation)
    if meta.traceparent is not None:
        fields["traceparent"] = meta.traceparent
    return orjson.dumps(fields).decode()


def decode_meta(text: str) -> Meta:
    """Read the `meta` column back."""
    fields = orjson.loads(text)
    causation = fields.get("causation")
    return Meta(
        fields["actor"],
        fields["correlation"],
        uuid_of(causation) if causation else None,
        fields.get("traceparent"),
    )
