"""A session: one database transaction with the log and the inbox at hand.

Every handler gets a batch and a session; what it appends, projects and claims is committed together or not at
all. The order of locks is always: inbox rows in sorted id order, own truth rows in id order, the append lock,
projections. (Unsorted claims deadlock.)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from shared.eventstore import log
from shared.eventstore.copying import copied
from shared.eventstore.log import Append, Connection, Recorded, StreamKey

INBOX_COLUMNS = ("consumer", "event_id")
CLAIM = """
INSERT INTO inbox (consumer, event_id)
SELECT $1, id FROM unnest($2::uuid[]) AS id ORDER BY id
ON CONFLICT DO NOTHING RETURNING event_id
"""

CLAIMED = "SELECT event_id FROM inbox WHERE consumer = $1 AND event_id = ANY($2)"


class Session:
    """One transaction. `at` is the moment it began: the one clock reading that its handler may use."""

    def __init__(self, connection: Connection, at: datetime) -> None:
        self.connection = connection
        self.at = at

    async def claim(self, consumer: str, ids: Iterable[UUID]) -> set[UUID]:
        """Mark event ids as taken by `consumer` and return those that were not taken before."""
        distinct = set(ids)
        if not distinct:
            return distinct
        wanted = sorted(distinct, key=attrgetter("bytes"))
        rows = [(consumer, event_id) for event_id in wanted]
        if await copied(self.connection, "inbox", INBOX_COLUMNS, rows):
            return distinct
        claimed = await self.connection.fetch(CLAIM, consumer, wanted)
        return {row["event_id"] for row in claimed}

    async def claimed(self, consumer: str, ids: Iterable[UUID]) -> set[UUID]:
        """Return those of `ids` that `consumer` has taken before, without taking any."""
        rows = await self.connection.fetch(CLAIMED, consumer, list(ids))
        return {row["event_id"] for row in rows}

    async def load(self, streams: Iterable[StreamKey]) -> dict[StreamKey, list[Recorded]]:
        """Return the history of each stream, in one query; see log.load."""
        return await log.load(self.connection, streams)

    async def load_from(self, held: Iterable[Recorded]) -> dict[StreamKey, list[Recorded]]:
        """Return each stream from the event on that is held of it, which is not read again; log.load_from."""
        return await log.load_from(self.connection, held)

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[None]:
        """Try something that may turn out stale: whatever the block did is taken back when it raises."""
        async with self.connection.transaction():  # within the session's own it is a savepoint
            yield

    async def append(self, appends: Sequence[Append]) -> list[Recorded]:
        """Add events under the append lock; see log.append.

        Once a session, unless an `attempt` took the first back; and only projections after it.
        """
        return await log.append(self.connection, appends, self.at)
