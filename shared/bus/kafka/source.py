"""One member of a consumer's group: reads in bulk, commits offsets only after the transaction.

Every setting that matters is named here, since the client's defaults lose records: offsets are never
committed by a timer, and a new group begins at the beginning. A rebalance waits for the batch in hand, so
that a slow batch is not done twice; what is still in hand when the wait is over is dropped, and its
transaction is fenced (fence.py). A member whose reader died silently while records wait is BrokenError: its
process has to go.

Types that were not asked for are passed over before anything is made of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from shared.bus.kafka import fence
from shared.bus.kafka.client import REQUEST_WAIT_S, answered, dismissed
from shared.bus.kafka.connection import Cluster, away, translated, unreached
from shared.bus.kafka.fence import Partition
from shared.bus.kafka.meter import Meter
from shared.bus.seam import BrokenError, FencedError, Record
from shared.contracts import registry
from shared.contracts.event import PublishedEvent
from shared.database import Database
from shared.errors import Unavailable
from shared.eventstore import Session

SESSION_WAIT_S = 10.0
HEARTBEATS_A_SESSION = 4
REBALANCE_WAIT_S = 60.0
REVOKE_WAIT_S = 45.0
"""How long a rebalance waits for the batch in hand; less than REBALANCE_WAIT_S: the group goes on then."""
POLL_INTERVAL_S_MAX = 300.0
FETCH_BYTES_MAX = 8 * 1024 * 1024
PARTITION_FETCH_BYTES_MAX = 1024 * 1024
FETCH_WAIT_MS_MAX = 500
PROBE_EVERY_S = 3.0
PROBES_BEHIND_MAX = 10

LOST = (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
"""The group went on without us: what was in hand belongs to whoever has the partition now."""

logger = structlog.get_logger(__name__)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc] # the client has no types
    """Tells the source which partitions go."""

    def __init__(self, source: KafkaSource) -> None:
        self._source = source

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._source.let_go(revoked)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        await self._source.begin(assigned)


class KafkaSource:
    """Reads the topics of `events` as a member of the group of `consumer`."""

    lag_is_whole = False

    def __init__(
        self,
        consumer: str,
        events: Sequence[type[PublishedEvent]],
        own: Database,
        cluster: Cluster,
        meter: Meter,
    ) -> None:
        self._consumer = consumer
        self._own = own
        self._cluster = cluster
        self._meter = meter
        self._names = {cluster.topic(event.TOPIC.name): event.TOPIC.name for event in events}
        self._wanted = {stored.encode() for stored in registry.stored_types(events)}
        self._member: AIOKafkaConsumer | None = None
        self._epochs: dict[Partition, int] = {}
        self._began: dict[TopicPartition, int] = {}
        """Where reading began since the partition, or its fence, was last anybody else's."""
        self._acknowledged: dict[TopicPartition, int] = {}
        """Where to go on, of each partition that was read from."""
        self._ahead: dict[TopicPartition, int] = {}
        """How far each partition was read and not yet acknowledged."""
        self._nothing_in_hand = asyncio.Event()
        self._nothing_in_hand.set()
        self._probed_at = 0.0
        self._probes_behind = 0

    async def poll(self, records_max: int, wait_s: float) -> list[Record]:
        deadline = time.monotonic() + wait_s
        member = self._member or await self._join()
        while (left_s := min(deadline - time.monotonic(), PROBE_EVERY_S)) > 0:
            fetched = await _fetched(member, records_max, left_s)
            if not fetched:
                await self._pass_over()
                await self._probe(member)
                continue
            records = self._taken_in_hand(fetched)
            while len(records) < records_max and fetched:  # where much is passed over, batches stay full
                fetched = await _fetched(member, records_max - len(records), 0)
                records += self._taken_in_hand(fetched)
            if records and await self._fence_off(records):
                return records
        await self._pass_over()
        return []

    async def _join(self) -> AIOKafkaConsumer:
        member = AIOKafkaConsumer(
            **self._cluster.client_settings(self._consumer),
            group_id=self._cluster.group(self._consumer),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(SESSION_WAIT_S * 1000),
            heartbeat_interval_ms=int(SESSION_WAIT_S * 1000 / HEARTBEATS_A_SESSION),
            rebalance_timeout_ms=int(REBALANCE_WAIT_S * 1000),
            max_poll_interval_ms=int(POLL_INTERVAL_S_MAX * 1000),
            fetch_max_bytes=FETCH_BYTES_MAX,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES_MAX,
            fetch_max_wait_ms=FETCH_WAIT_MS_MAX,
        )
        try:
            if missing := self._names.keys() - await answered(_topics_seen_by(member), REQUEST_WAIT_S):
                names = ", ".join(sorted(missing))
                raise Unavailable(f"Topics are not there yet, or Kafka's user may not read them: {names}.")
        except BaseException as cause:
            await dismissed(member.stop())
            if isinstance(cause, (KafkaError, OSError, TimeoutError)):
                raise await unreached(self._cluster, cause, "joining") from cause
            raise
        member.subscribe(list(self._names), listener=_Listener(self))
        self._member = member
        return member

    def _taken_in_hand(self, fetched: dict[TopicPartition, list[Any]]) -> list[Record]:
        """Make records of what was asked for and note how far all of it goes."""
        records = []
        for partition, messages in fetched.items():
            topic = self._names[partition.topic]
            self._began.setdefault(partition, messages[0].offset)
            self._acknowledged.setdefault(partition, messages[0].offset)
            self._ahead[partition] = messages[-1].offset + 1
            records += [
                _record(topic, message) for message in messages if _event_type(message) in self._wanted
            ]
        if fetched:
            self._probes_behind = 0
            self._nothing_in_hand.clear()
        return records

    async def _fence_off(self, records: Sequence[Record]) -> bool:
        """Take the fences of partitions that this member reads for the first time since they are its own.

        False where one of them is to be read from its beginning and was not: what is in hand is not its turn.
        """
        fresh = {(record.topic, record.partition) for record in records} - self._epochs.keys()
        if not fresh:
            return True
        async with self._own.connection() as connection:
            epochs, set_back = await fence.take(connection, self._consumer, fresh)
        self._epochs |= epochs
        named = {TopicPartition(self._cluster.topic(topic), number) for topic, number in set_back}
        early = dict.fromkeys((each for each in named if self._began[each] > 0), 0)
        if not early:
            return True
        self._began |= early
        self._acknowledged |= early
        self._go_back()
        return False

    async def begin(self, assigned: Iterable[TopicPartition]) -> None:
        """Read from the beginning what a replay has set back; everything else goes on as committed."""
        mine = {(self._names[each.topic], each.partition): each for each in assigned}
        with contextlib.suppress(Unavailable):  # then the first record of each tells
            async with self._own.connection() as connection:
                for partition in await fence.set_back(connection, self._consumer, mine):
                    if self._member is not None:
                        self._member.seek(mine[partition], 0)

    async def mark(self, session: Session, records: Sequence[Record]) -> None:
        positions = {(record.topic, record.partition): record.offset + 1 for record in records}
        if not await fence.check(session.connection, self._consumer, self._epochs, positions):
            raise FencedError(f"{self._consumer}: a partition in hand is another member's.")

    async def acknowledge(self, records: Sequence[Record]) -> None:
        """Commit the offsets of everything that the last poll read, passed over or handed out."""
        offsets = dict(self._ahead)
        if self._member is not None and offsets:
            try:
                await answered(self._member.commit(offsets), REQUEST_WAIT_S)
            except LOST as cause:
                raise FencedError(f"{self._consumer}: the group went on ({type(cause).__name__}).") from cause
            except (KafkaError, TimeoutError) as cause:
                raise away(cause, "committing offsets") from cause
        self._acknowledged |= offsets
        self._ahead.clear()
        self._nothing_in_hand.set()

    async def _pass_over(self) -> None:
        """Commit what was read and is not for us; where that fails it is read again."""
        if self._ahead:
            with contextlib.suppress(FencedError, Unavailable):
                await self.acknowledge(())
        self._nothing_in_hand.set()

    async def rewind(self) -> None:
        self._go_back()
        self._epochs.clear()
        self._began.clear()

    def _go_back(self) -> None:
        """Read again from where it was acknowledged."""
        if self._member is not None:
            for partition, offset in self._acknowledged.items():
                with contextlib.suppress(IllegalStateError):  # no longer ours
                    self._member.seek(partition, offset)
        self._ahead.clear()
        self._nothing_in_hand.set()

    async def let_go(self, revoked: Iterable[TopicPartition]) -> None:
        """Wait for the batch in hand, then forget the partitions: the group gives them to somebody."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._nothing_in_hand.wait(), REVOKE_WAIT_S)
        for partition in revoked:
            self._began.pop(partition, None)
            self._acknowledged.pop(partition, None)
            self._ahead.pop(partition, None)
            self._epochs.pop((self._names.get(partition.topic, ""), partition.partition), None)

    async def _probe(self, member: AIOKafkaConsumer) -> None:
        """When nothing came for a while: is the broker there, and does anything wait that did not come?"""
        now = time.monotonic()
        if now - self._probed_at < PROBE_EVERY_S:
            return
        assigned = list(member.assignment())
        try:
            waits = await answered(_anything_waits(member, assigned), REQUEST_WAIT_S)
        except IllegalStateError:  # revoked meanwhile
            return
        except (KafkaError, OSError, TimeoutError) as cause:
            raise away(cause, "asking for records") from cause
        self._probed_at = now
        if not waits:
            self._probes_behind = 0
            return
        self._probes_behind += 1
        if self._probes_behind > PROBES_BEHIND_MAX:
            raise BrokenError(f"{self._consumer} was handed nothing in a while, and records wait for it.")

    async def lag(self) -> int:
        return await self._meter.lag(self._cluster.group(self._consumer), list(self._names))

    async def close(self) -> None:
        self._nothing_in_hand.set()
        member, self._member = self._member, None
        if member is not None:
            await dismissed(member.stop())


async def _fetched(
    member: AIOKafkaConsumer, records_max: int, wait_s: float
) -> dict[TopicPartition, list[Any]]:
    """Return what has come by now, or comes within `wait_s`. Raises Unavailable and BrokenError."""
    try:
        fetching = member.getmany(timeout_ms=int(wait_s * 1000), max_records=records_max)
        fetched: dict[TopicPartition, list[Any]] = await answered(fetching, wait_s)
    except TimeoutError:
        return {}
    except KafkaError as cause:
        raise translated(cause, "reading") from cause
    return fetched


async def _topics_seen_by(member: AIOKafkaConsumer) -> set[str]:
    """Connect and return the names of the topics that are there for this member."""
    await member.start()
    seen: set[str] = await member.topics()
    return seen


async def _anything_waits(member: AIOKafkaConsumer, assigned: Sequence[TopicPartition]) -> bool:
    """Tell whether a partition goes on behind where it was read to; asks the broker in any case."""
    if not assigned:
        await member.topics()
        return False
    ends = await member.end_offsets(assigned)
    positions = {partition: await member.position(partition) for partition in assigned}
    return any(ends[partition] > positions[partition] for partition in assigned)


def _event_type(message: Any) -> bytes:
    for name, value in message.headers:
        if name == "ce_type":
            return value or b""
    return b""


def _record(topic: str, message: Any) -> Record:
    return Record(
        topic,
        message.partition,
        message.offset,
        _text(message.key),
        {name: _text(value) for name, value in message.headers},
        message.value or b"",
    )


def _text(written: bytes | None) -> str:
    """Read bytes of a stranger as text that PostgreSQL can hold: one bad record must not stop the others."""
    return (written or b"").decode("utf-8", "replace").replace("\0", "\ufffd")
