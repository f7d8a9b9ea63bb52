"""What is Kafka's own in a consumer: shared work, brokers that go, records of strangers, dead readers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.bus.kafka import Cluster, KafkaBus, fence, source, topics
from shared.bus.seam import BrokenError, FencedError
from shared.contracts.assessments import AssessmentPassed
from shared.contracts.topics import ASSESSMENTS, LEARNERS
from shared.database import Database
from shared.embedded.kafka import broker
from shared.errors import Unavailable
from tests.contract.bus.buses import ONE_BROKER
from tests.contract.bus.rig import CONSUMER, Rig, until
from tests.integration.kafka.stranger import Stranger

pytestmark = pytest.mark.kafka


@pytest.fixture
async def rig(cluster: Cluster, producer: Database, issuer: Database) -> AsyncIterator[Rig]:
    """The rig of the conformance suite on the session's broker."""
    bus = KafkaBus(cluster)
    rig = Rig(producer, issuer, bus)
    await rig.prepare()
    async with rig.carrying():
        yield rig
    await bus.close()


async def test_members_of_a_group_share_the_work_and_each_key_stays_in_order(rig: Rig) -> None:
    async with rig.running(rig.member("first"), rig.member("second"), rig.member("third")):

        async def all_had_work() -> bool:
            await rig.tell(*(f"x{each}" for each in range(40)))
            return await rig.members() == {"first", "second", "third"}

        await until(all_had_work)
        told = rig._told
        await rig.has_effects(told)
    assert await rig.numbers() == list(range(1, told + 1))


async def test_partitions_change_hands_while_work_goes_on_and_nothing_is_done_twice_or_never(
    rig: Rig,
) -> None:
    async with rig.running(rig.member("stays")):
        for round_ in range(4):
            async with rig.running(rig.member(f"comes-{round_}", batch_records_max=5)):
                for _ in range(5):
                    await rig.tell(*(f"x{each}" for each in range(30)))
        await rig.has_effects(600)
    assert await rig.numbers() == list(range(1, 601))
    assert await rig.letters() == []


async def test_what_a_member_holds_of_a_partition_that_was_taken_from_it_cannot_be_marked(rig: Rig) -> None:
    """Else a member that slept would bury what its successor has handled, and park the key behind it."""
    zombie = rig.bus.source(CONSUMER, (AssessmentPassed,), rig.own)
    await rig.tell("a")
    records = await zombie.poll(10, 30.0)
    async with rig.own.session() as session:
        await zombie.mark(session, records)
    async with rig.own.connection() as connection:
        await fence.take(connection, CONSUMER, {(each.topic, each.partition) for each in records})
    with pytest.raises(FencedError):
        async with rig.own.session() as session:
            await zombie.mark(session, records)
    await zombie.rewind()
    again = await zombie.poll(10, 30.0)
    assert [each.offset for each in again] == [each.offset for each in records]
    async with rig.own.session() as session:
        await zombie.mark(session, again)
    await zombie.close()


async def test_what_was_not_asked_for_is_passed_over_and_counts_as_done(rig: Rig) -> None:
    member = rig.member()
    await rig.tell_failed(*(f"x{each}" for each in range(50)))
    assert await member.lag() == 50
    async with rig.running(member):
        await rig.caught_up(member)
    assert await rig.effects() == []


async def test_what_is_passed_over_takes_no_place_in_a_batch(rig: Rig) -> None:
    for _ in range(2):
        await rig.tell_failed("a")
        await rig.tell("a")
    member = rig.bus.source(CONSUMER, (AssessmentPassed,), rig.own)
    assert [record.offset for record in await member.poll(2, 30.0)] == [1, 3]
    await member.close()


async def test_what_was_read_from_its_beginning_is_not_read_from_there_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeks: list[int] = []

    def note(_: object, __: object, offset: int) -> None:
        seeks.append(offset)

    monkeypatch.setattr(source.AIOKafkaConsumer, "seek", note)
    await rig.tell_failed("a")
    await rig.tell("a")
    member = rig.bus.source(CONSUMER, (AssessmentPassed,), rig.own)
    assert [record.offset for record in await member.poll(10, 30.0)] == [1]
    assert seeks == [], "the fence is new, and nothing was missed"
    await member.close()


async def test_records_of_strangers_are_buried_one_by_one_and_the_others_pass(
    rig: Rig, stranger: Stranger
) -> None:
    await stranger.writes(ASSESSMENTS, b"acme/assessment-odd", b"no headers at all")
    await stranger.writes(ASSESSMENTS, None, None, ce_type=b"assessment.passed.v1")
    await stranger.writes(
        ASSESSMENTS, b"\xff\x00/odd", b"\x00", ce_type=b"assessment.passed.v1", ce_id=b"\x00"
    )
    await rig.tell("good")
    member = rig.member()
    async with rig.running(member):
        await rig.caught_up(member)
    assert await rig.effects() == [("good", 1)]
    assert [state for _, state in await rig.letters()] == ["buried", "buried"]


async def test_a_topic_that_is_not_there_yet_is_waited_for(
    kafka: str, producer: Database, issuer: Database
) -> None:
    cluster = Cluster(kafka, prefix=f"late.{issuer.schema}.{id(issuer)}.")
    bus = KafkaBus(cluster)
    rig = Rig(producer, issuer, bus)
    await rig.prepare()
    member = rig.member()

    async def waits() -> bool:
        return member.health.unavailable_since is not None

    async with rig.carrying(), rig.running(member):
        await until(waits)
        await topics.create(cluster, [ASSESSMENTS], ONE_BROKER)
        await rig.tell("a")
        await rig.has_effects(1)
    await topics.delete(cluster, [ASSESSMENTS])
    await bus.close()


async def test_a_reader_that_died_silently_while_records_wait_is_found_out(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's own task ends and says nothing; seen in the wild as aio-libs/aiokafka#983."""
    monkeypatch.setattr(source, "PROBE_EVERY_S", 0.05)
    monkeypatch.setattr(source, "PROBES_BEHIND_MAX", 2)
    reader = rig.bus.source(CONSUMER, (AssessmentPassed,), rig.own)
    await rig.tell("a")
    assert len(await reader.poll(10, 30.0)) == 1
    await reader.acknowledge(())
    fetching = reader._member._fetcher._fetch_task  # type: ignore[attr-defined]
    fetching.cancel()
    await asyncio.wait([fetching])

    async def read_on() -> None:
        while True:  # what it had asked for when it died may still come
            await rig.tell("b")
            await reader.poll(10, 1.0)

    with pytest.raises(BrokenError):
        await read_on()
    await reader.close()


async def test_a_broker_may_be_killed_and_come_back_while_everything_runs(
    tmp_path: Path, producer: Database, issuer: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "PROBE_EVERY_S", 0.2)
    async with broker(tmp_path / "kafka") as private:
        cluster = Cluster(private.address)
        await topics.create(cluster, [ASSESSMENTS, LEARNERS], ONE_BROKER)
        bus = KafkaBus(cluster)
        rig = Rig(producer, issuer, bus)
        await rig.prepare()
        member = rig.member(batch_records_max=5)
        async with rig.carrying(), rig.running(member) as [task]:
            await rig.tell(*(f"x{each}" for each in range(20)))
            await asyncio.to_thread(private.kill)

            async def waits() -> bool:
                return member.health.unavailable_since is not None

            await until(waits)
            with pytest.raises(Unavailable):
                await member.lag()
            telling = asyncio.create_task(rig.tell(*(f"x{each}" for each in range(20))))
            await asyncio.to_thread(private.restart)
            await telling
            await rig.has_effects(40)
            assert not task.done()
            assert rig.relay is not None
            assert rig.relay.health.problem() is None
        assert await rig.numbers() == list(range(1, 41))
        await bus.close()
