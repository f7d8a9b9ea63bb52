"""The seam between a consumer and whatever carries the records.

A Source hands out batches in order per key. Its position moves in two steps, because buses differ in where
they keep it: `mark` inside the consumer's transaction (the local bus keeps its cursor there) and
`acknowledge` after the commit (Kafka's offsets). A crash in between means redelivery; the inbox makes it
harmless.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from shared.bus.health import Health
from shared.contracts.event import PublishedEvent
from shared.database import Database
from shared.eventstore import Session


class Record(NamedTuple):
    """One event on the bus: a CloudEvent in binary mode. `key` is `{issuer_id}/{stream}`."""

    topic: str
    partition: int
    offset: int
    key: str
    headers: Mapping[str, str]
    value: bytes


class FencedError(Exception):
    """Another member has taken this consumer's place; what this one holds is stale and must be dropped."""


class BrokenError(Exception):
    """What carries the records is beyond repair in this process: it has to end, and be started again."""


class Source(Protocol):
    """Where a consumer reads.

    `lag_is_whole`: whether `lag` counts every fact that was committed, also one that its producer has not yet
    brought to the bus.
    """

    lag_is_whole: bool

    async def poll(self, records_max: int, wait_s: float) -> Sequence[Record]:
        """Return the next records, at most `records_max`, waiting at most `wait_s` for the first.

        May be cancelled at any await: a stop ends the wait so. Nothing but `close` follows then, and what was
        fetched and not returned stays unacknowledged. A lease that was just being taken may have to run out.
        """

    async def mark(self, session: Session, records: Sequence[Record]) -> None:
        """Note in the consumer's own transaction that `records` are dealt with. Raises FencedError."""

    async def acknowledge(self, records: Sequence[Record]) -> None:
        """Note after the commit that `records` are dealt with."""

    async def rewind(self) -> None:
        """After a failure: hand out again whatever is not yet acknowledged."""

    async def lag(self) -> int:
        """Return how many records wait behind the position."""

    async def close(self) -> None:
        """Stop reading and let another member take over at once."""


class Relay(Protocol):
    """Brings the log of one service onto a bus that does not read it there."""

    name: str
    health: Health

    async def run(self, stopping: asyncio.Event) -> None:
        """Publish what is appended until `stopping`. Raises BrokenError."""

    async def agree(self) -> None:
        """Refuse to go on where the bus holds another history than the log: Conflict. Raises Unavailable."""

    async def pending(self) -> int:
        """Return how many events the bus is to have and does not."""


class Bus(Protocol):
    """What carries records between services."""

    name: str

    def source(self, consumer: str, events: Sequence[type[PublishedEvent]], database: Database) -> Source:
        """Return the Source of the topics of `events` for `consumer`, whose own schema is `database`.

        A bus may hand out other types of the same topics too; the consumer ignores them.
        """

    def relay(self, producer: str, database: Database) -> Relay | None:
        """Return what publishes the log of the service `producer`, or None where nothing has to be."""

    async def close(self) -> None:
        """Let go of every connection."""
