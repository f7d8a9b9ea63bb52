"""The relay: in the order of the log, nothing lost, one at a time, and no zombie goes on publishing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from shared.bus import relay as relay_module
from shared.bus.kafka import Cluster
from shared.bus.kafka import producer as producer_module
from shared.bus.kafka.producer import KafkaProducer
from shared.bus.relay import CURSOR, Relay
from shared.bus.seam import BrokenError, Record
from shared.contracts.topics import ASSESSMENTS
from shared.database import Database
from shared.errors import Invalid, Unavailable
from tests.contract.bus.rig import Rig, until
from tests.integration.kafka.stranger import Stranger

pytestmark = pytest.mark.kafka

SHORT_LEASE_S = 0.5


class Silent:
    """A bus that reads nothing and relays nothing: the tests run their own relays."""

    name = "silent"

    def relay(self, producer: str, database: Database) -> None:
        """Return None."""


class Gate(KafkaProducer):
    """The real producer behind two doors: before records go out, and before their acknowledgement is told."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster, "test")
        self.sent: list[list[int]] = []
        self.reached, self.acknowledging = asyncio.Event(), asyncio.Event()
        self.acknowledging.set()
        self.failing: list[BaseException] = []

    async def send(self, records: Sequence[Record]) -> list[asyncio.Future[Any]]:
        self.sent.append([record.offset for record in records])
        acknowledgements = await super().send(records)
        self.reached.set()
        return [asyncio.ensure_future(self._told(each)) for each in acknowledgements]

    async def _told(self, acknowledgement: asyncio.Future[Any]) -> None:
        await acknowledgement
        await self.acknowledging.wait()
        if self.failing:
            raise self.failing.pop()


@pytest.fixture
def log(producer: Database) -> Rig:
    """Somebody who appends to the assessor's log."""
    return Rig(producer, producer, Silent())  # type: ignore[arg-type]


@asynccontextmanager
async def working(*relays: Relay) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run relays until the block ends."""
    stopping = asyncio.Event()
    tasks = [asyncio.create_task(relay.run(stopping)) for relay in relays]
    try:
        yield tasks
    finally:
        stopping.set()
        await asyncio.gather(*tasks, return_exceptions=True)


async def published(relay: Relay) -> None:
    """Wait until nothing waits for the relay."""

    async def nothing() -> bool:
        return await relay.pending() == 0

    await until(nothing)


async def cursor(producer: Database) -> int:
    async with producer.connection() as connection:
        return await connection.fetchval("SELECT position FROM cursor WHERE name = $1", CURSOR) or 0


async def on_the_topic(stranger: Stranger) -> dict[str, list[int]]:
    """The versions of each key, in the order in which they stand on the topic."""
    found: dict[str, list[int]] = {}
    for record in await stranger.reads(ASSESSMENTS):
        found.setdefault(record.key, []).append(int(record.headers["ce_sequence"]))
    return found


def first_copies(versions: list[int]) -> list[int]:
    return list(dict.fromkeys(versions))


async def test_the_log_stands_on_the_topic_in_its_order_and_once(
    log: Rig, producer: Database, cluster: Cluster, stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "BATCH_EVENTS_MAX", 7)
    await log.tell(*(f"x{each % 5}" for each in range(100)))
    relay = Relay("a", producer, KafkaProducer(cluster, "a"))
    async with working(relay):
        await published(relay)
        told = await log.tell("x1", "new")
        await published(relay)
        assert await cursor(producer) == told[-1].position
    found = await on_the_topic(stranger)
    assert found.pop("acme/assessment-new") == [1]
    assert {key: len(versions) for key, versions in found.items()} == {
        f"acme/assessment-x{each}": 21 if each == 1 else 20 for each in range(5)
    }
    assert all(versions == list(range(1, len(versions) + 1)) for versions in found.values())


async def test_of_two_relays_one_publishes_and_the_other_takes_over_when_it_stops(
    log: Rig, producer: Database, cluster: Cluster, stranger: Stranger
) -> None:
    doors = [Gate(cluster), Gate(cluster)]
    relays = [Relay(f"relay-{number}", producer, door) for number, door in enumerate(doors)]
    async with working(relays[1]):
        async with working(relays[0]):
            for _ in range(10):
                await log.tell("a", "b")
                await published(relays[0])
            assert sorted(bool(door.sent) for door in doors) == [False, True]
        await log.tell("a")
        await published(relays[1])
    assert await on_the_topic(stranger) == {
        "acme/assessment-a": list(range(1, 12)),
        "acme/assessment-b": list(range(1, 11)),
    }


async def test_the_cursor_does_not_move_before_the_acknowledgement(
    log: Rig, producer: Database, cluster: Cluster, stranger: Stranger
) -> None:
    door = Gate(cluster)
    door.acknowledging.clear()
    relay = Relay("a", producer, door)
    told = await log.tell("a", "b", "a")
    async with working(relay) as [task]:
        await door.reached.wait()
        assert await cursor(producer) == 0
        assert await relay.pending() == 3
        task.cancel()
        await asyncio.wait([task])
    assert await cursor(producer) == 0
    successor = Relay("b", producer, KafkaProducer(cluster, "b"))
    async with working(successor):
        await published(successor)
    assert await cursor(producer) == told[-1].position
    found = await on_the_topic(stranger)
    assert {key: first_copies(versions) for key, versions in found.items()} == {
        "acme/assessment-a": [1, 2],
        "acme/assessment-b": [1],
    }


async def test_a_relay_that_slept_through_its_lease_sends_nothing_more(
    log: Rig, producer: Database, cluster: Cluster, stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It wakes with events in hand that its successor has published long since."""
    monkeypatch.setattr(relay_module, "LEASE_S", SHORT_LEASE_S)
    door = Gate(cluster)
    zombie = Relay("zombie", producer, door)
    asleep, awake = asyncio.Event(), asyncio.Event()
    read = zombie._read

    async def read_and_sleep(position: int) -> list[Record]:
        records = await read(position)
        if records and not asleep.is_set():
            asleep.set()
            await awake.wait()
        return records

    monkeypatch.setattr(zombie, "_read", read_and_sleep)
    await log.tell("a", "b", "a")
    async with working(zombie):
        await asleep.wait()
        successor = Relay("successor", producer, KafkaProducer(cluster, "successor"))
        async with working(successor):
            await published(successor)
            awake.set()
            await log.tell("a")
            await published(successor)
            assert door.sent == []
    assert await on_the_topic(stranger) == {"acme/assessment-a": [1, 2, 3], "acme/assessment-b": [1]}


async def test_a_zombie_whose_batch_is_acknowledged_late_cannot_move_the_cursor(
    log: Rig, producer: Database, cluster: Cluster, stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may repeat what was under way when it fell asleep, and nothing is out of order by that."""
    monkeypatch.setattr(relay_module, "LEASE_S", SHORT_LEASE_S)
    door = Gate(cluster)
    door.acknowledging.clear()
    zombie = Relay("zombie", producer, door)
    asleep = asyncio.Event()

    async def never_renewed() -> None:
        asleep.set()

    await log.tell("a", "b", "a")
    monkeypatch.setattr(zombie, "_renew", never_renewed)
    async with working(zombie):
        await asleep.wait()
        successor = Relay("successor", producer, KafkaProducer(cluster, "successor"))
        async with working(successor):
            await published(successor)
            told = await log.tell("a", "c")
            await published(successor)
            door.acknowledging.set()

            async def fenced() -> bool:
                return zombie._epoch == 0

            await until(fenced)
            assert await cursor(producer) == told[-1].position
    assert len(door.sent) == 1
    found = await on_the_topic(stranger)
    assert {key: first_copies(versions) for key, versions in found.items()} == {
        "acme/assessment-a": [1, 2, 3],
        "acme/assessment-b": [1],
        "acme/assessment-c": [1],
    }


@pytest.mark.parametrize("failure", [TimeoutError(), asyncio.CancelledError()], ids=("late", "given up"))
async def test_what_follows_a_batch_that_failed_does_not_overtake_it(
    log: Rig,
    producer: Database,
    cluster: Cluster,
    stranger: Stranger,
    monkeypatch: pytest.MonkeyPatch,
    failure: BaseException,
) -> None:
    monkeypatch.setattr(relay_module, "BATCH_EVENTS_MAX", 3)
    monkeypatch.setattr(relay_module, "RETRY_WAIT_S", 0.01)
    door = Gate(cluster)
    door.failing = [failure]
    told = await log.tell(*["a"] * 7)
    relay = Relay("a", producer, door)
    async with working(relay):
        await published(relay)
    positions = [each.position for each in told]
    assert door.sent == [positions[:3], positions[:3], positions[3:6], positions[6:]]
    assert first_copies((await on_the_topic(stranger))["acme/assessment-a"]) == [1, 2, 3, 4, 5, 6, 7]


async def test_a_producer_that_is_broken_for_good_ends_the_relay(
    log: Rig, producer: Database, cluster: Cluster
) -> None:
    door = Gate(cluster)
    door.failing = [ValueError("what no retry mends")]
    relay = Relay("a", producer, door)
    await log.tell("a")
    async with working(relay) as [task]:
        await asyncio.wait([task])
        with pytest.raises(BrokenError):
            task.result()
    assert relay.health.problem() == "stopped: BrokenError"
    assert await cursor(producer) == 0


async def test_what_a_service_keeps_to_itself_is_passed_over_and_the_cursor_remembers(
    log: Rig, producer: Database, cluster: Cluster, stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "LEASE_S", SHORT_LEASE_S)
    relay = Relay("a", producer, KafkaProducer(cluster, "a"))
    await log.tell_kept("a", "b")
    await log.tell("a", "c")
    kept = await log.tell_kept("c", "d")
    async with working(relay):

        async def passed_over() -> bool:
            return await cursor(producer) == kept[-1].position

        await until(passed_over)
        assert await relay.pending() == 0
        await log.tell("d")
        await published(relay)
    assert await on_the_topic(stranger) == {
        "acme/assessment-a": [2],
        "acme/assessment-c": [1],
        "acme/assessment-d": [2],
    }


async def test_a_type_that_this_program_does_not_know_is_not_passed_over(
    log: Rig, producer: Database, cluster: Cluster
) -> None:
    """A newer one appended it: whoever relays must be as new."""
    await log.tell_bytes("a", b"{}", "assessment.imagined.v1")
    relay = Relay("a", producer, KafkaProducer(cluster, "a"))
    assert await relay.pending() == 1
    async with working(relay) as [task]:
        await asyncio.wait([task])
        with pytest.raises(Invalid, match="imagined"):
            task.result()
    assert await cursor(producer) == 0


async def test_without_its_topic_a_relay_waits_and_says_so(
    log: Rig, producer: Database, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer_module, "REQUEST_WAIT_S", 1.0)
    elsewhere = Cluster(cluster.bootstrap_servers, prefix="nobody.made.these.")
    relay = Relay("a", producer, KafkaProducer(elsewhere, "a"))
    await log.tell("a")

    async def waits() -> bool:
        return relay.health.unavailable_since is not None

    async with working(relay) as [task]:
        await until(waits)
        assert not task.done()
    assert await cursor(producer) == 0


def test_an_error_that_time_can_mend_is_no_reason_to_end_a_process() -> None:
    assert isinstance(KafkaProducer.refusal(TimeoutError()), Unavailable)
    assert isinstance(KafkaProducer.refusal(asyncio.CancelledError()), Unavailable)
    assert isinstance(KafkaProducer.refusal(ValueError()), BrokenError)
