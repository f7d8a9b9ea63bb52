"""What a consumer could not take: buried records, and those of the same key parked behind them, in order.

A buried record is not claimed in the inbox. While a key has an open row, every later record of that key is
parked behind it, so that a requeue replays them in the order in which they happened. The lock of a key makes
the consumer and a requeue take turns: what arrives meanwhile waits and is then taken in its turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from shared.bus.seam import Record
from shared.errors import Conflict, NotFound
from shared.eventstore.log import Connection

ERROR_CHARACTERS_MAX = 4_000
LIST_ROWS_MAX = 500

ANY_OPEN = "SELECT EXISTS (SELECT FROM dead_letter WHERE consumer = $1 AND resolved_at IS NULL)"
OPEN_KEYS = (
    "SELECT DISTINCT key FROM dead_letter WHERE consumer = $1 AND resolved_at IS NULL AND key = ANY($2)"
)
LOCK_KEY = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' ' || $1 || ' ' || $2, 1))"
INSERT = """
INSERT INTO dead_letter (consumer, topic, partition, "offset", key, state, value, headers, error)
SELECT $1, topic, part, off, key, $2, value, headers::jsonb, $3
FROM unnest($4::text[], $5::int[], $6::bigint[], $7::text[], $8::bytea[], $9::text[])
  AS rows (topic, part, off, key, value, headers)
ON CONFLICT DO NOTHING
"""
ASKED = """
SELECT DISTINCT key FROM dead_letter WHERE consumer = $1 AND resolved_at IS NULL AND asked_at IS NOT NULL
"""
OPEN_OF_KEY = """
SELECT topic, partition, "offset", key, value, headers::text AS headers FROM dead_letter
WHERE consumer = $1 AND key = $2 AND resolved_at IS NULL ORDER BY topic, partition, "offset"
"""
RESOLVE = (
    "UPDATE dead_letter SET resolved_at = now() WHERE consumer = $1 AND key = $2 AND resolved_at IS NULL"
)
REFUSE = """
UPDATE dead_letter SET asked_at = NULL, error = CASE state WHEN 'buried' THEN $3 ELSE error END
WHERE consumer = $1 AND key = $2 AND resolved_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An open row, as an operator sees it. `issuer_id` is the tenant that `key` begins with."""

    issuer_id: str
    consumer: str
    topic: str
    partition: int
    offset: int
    key: str
    state: str
    event_type: str
    error: str
    at: datetime
    headers: dict[str, str]
    value: bytes


async def waiting_keys(connection: Connection, consumer: str, keys: Iterable[str]) -> set[str]:
    """Return those of `keys` that have an open row at this moment; nothing is locked."""
    if not await connection.fetchval(ANY_OPEN, consumer):  # as a rule; it spares sending every key
        return set()
    return {row["key"] for row in await connection.fetch(OPEN_KEYS, consumer, sorted(set(keys)))}


async def parked_keys(connection: Connection, consumer: str, keys: Iterable[str]) -> set[str]:
    """Return those of `keys` that must wait behind an open row, after waiting for a requeue in progress."""
    wanted = set(keys)
    waiting = await waiting_keys(connection, consumer, wanted)
    for key in sorted(waiting):
        await lock_key(connection, consumer, key)
    return await waiting_keys(connection, consumer, wanted) if waiting else waiting


async def lock_key(connection: Connection, consumer: str, key: str) -> None:
    """Take turns with whoever else handles `key`, until the transaction ends."""
    await connection.execute(LOCK_KEY, consumer, key)


async def bury(connection: Connection, consumer: str, record: Record, error: str) -> None:
    """Write down a record that cannot be taken, and why."""
    await _insert(connection, consumer, [record], "buried", error)


async def park(connection: Connection, consumer: str, records: Sequence[Record]) -> None:
    """Write down records that wait behind a buried one of their key."""
    await _insert(connection, consumer, records, "parked", "waits behind a buried record of the same key")


async def _insert(
    connection: Connection, consumer: str, records: Sequence[Record], state: str, error: str
) -> None:
    await connection.execute(
        INSERT,
        consumer,
        state,
        error[:ERROR_CHARACTERS_MAX],
        [record.topic for record in records],
        [record.partition for record in records],
        [record.offset for record in records],
        [record.key for record in records],
        [record.value for record in records],
        [orjson.dumps(dict(record.headers)).decode() for record in records],
    )


async def asked_keys(connection: Connection, consumer: str) -> list[str]:
    """Return the keys that an operator asked to requeue."""
    return sorted(row["key"] for row in await connection.fetch(ASKED, consumer))


async def open_records(connection: Connection, consumer: str, key: str) -> list[Record]:
    """Return the open records of a key in the order in which they happened."""
    return [
        Record(
            row["topic"],
            row["partition"],
            row["offset"],
            row["key"],
            orjson.loads(row["headers"]),
            row["value"],
        )
        for row in await connection.fetch(OPEN_OF_KEY, consumer, key)
    ]


async def resolve(connection: Connection, consumer: str, key: str) -> None:
    """Mark every open row of a key as dealt with: the key is not parked any more."""
    await connection.execute(RESOLVE, consumer, key)


async def refuse_requeue(connection: Connection, consumer: str, key: str, error: str) -> None:
    """Note that a requeue failed again, and why; the rows stay open."""
    await connection.execute(REFUSE, consumer, key, error[:ERROR_CHARACTERS_MAX])


async def open_letters(connection: Connection, consumer: str | None = None) -> list[DeadLetter]:
    """Return up to LIST_ROWS_MAX open rows, of one consumer or of all, oldest first."""
    rows = await connection.fetch(
        "SELECT *, headers::text AS header_text FROM dead_letter"
        " WHERE resolved_at IS NULL AND ($1::text IS NULL OR consumer = $1)"
        ' ORDER BY at, consumer, topic, partition, "offset" LIMIT $2',
        consumer,
        LIST_ROWS_MAX,
    )
    return [_letter(row) for row in rows]


def _letter(row: Any) -> DeadLetter:
    headers = orjson.loads(row["header_text"])
    return DeadLetter(
        row["issuer_id"],
        row["consumer"],
        row["topic"],
        row["partition"],
        row["offset"],
        row["key"],
        row["state"],
        headers.get("ce_type", "?"),
        row["error"],
        row["at"],
        headers,
        row["value"],
    )


async def ask_requeue(connection: Connection, consumer: str, key: str) -> int:
    """Ask the running consumer to replay a key's open records in order; returns how many there are.

    Raises NotFound when none is open and Conflict when it has been asked already.
    """
    rows = await connection.fetch(
        "SELECT asked_at FROM dead_letter"
        " WHERE consumer = $1 AND key = $2 AND resolved_at IS NULL FOR UPDATE",
        consumer,
        key,
    )
    if not rows:
        raise NotFound("dead-letter-unknown", "No record of this consumer and key waits.")
    if all(row["asked_at"] for row in rows):
        raise Conflict("requeue-asked", "The requeue has been asked for already; the consumer takes it next.")
    await connection.execute(
        "UPDATE dead_letter SET asked_at = now() WHERE consumer = $1 AND key = $2 AND resolved_at IS NULL",
        consumer,
        key,
    )
    return len(rows)
