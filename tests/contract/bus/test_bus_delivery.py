"""Every record takes effect once and in the order of its key, in whatever pieces and how often it comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from shared.bus.seam import Record, Source
from shared.contracts.assessments import AssessmentFailed, AssessmentPassed
from shared.eventstore import Recorded, Session
from shared.telemetry import RECORDS
from tests.contract.bus.buses import Kind
from tests.contract.bus.rig import CONSUMER, Rig

BATCH = 500


def counted(outcome: str) -> float:
    """How many records of the rehearsed consumer came to `outcome` so far."""
    return RECORDS.labels(CONSUMER, outcome)._value.get()


class Stutter:
    """A source that hands every record out twice in a row, as a broker may after a relay's restart."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def poll(self, records_max: int, wait_s: float) -> list[Record]:
        return [each for each in await self._source.poll(records_max // 2, wait_s) for _ in range(2)]

    async def mark(self, session: Session, records: Sequence[Record]) -> None:
        await self._source.mark(session, records)

    async def acknowledge(self, records: Sequence[Record]) -> None:
        await self._source.acknowledge(records)

    async def rewind(self) -> None:
        await self._source.rewind()

    async def lag(self) -> int:
        return await self._source.lag()

    async def close(self) -> None:
        await self._source.close()


async def test_records_of_a_key_take_effect_in_order(rig: Rig) -> None:
    for _ in range(20):
        await rig.tell("a", "b", "a", "c")
    async with rig.running(rig.member(batch_records_max=7)):
        await rig.has_effects(80)
    assert Counter(key for key, _ in await rig.effects()) == {"a": 40, "b": 20, "c": 20}


async def test_no_batch_is_larger_than_it_may_be(rig: Rig) -> None:
    sizes: list[int] = []

    async def prepare(batch: Sequence[Recorded]) -> None:
        sizes.append(len(batch))

    await rig.tell(*(f"x{each}" for each in range(BATCH)))
    await rig.tell("one-more")
    async with rig.running(rig.member(prepare=prepare)):
        await rig.has_effects(BATCH + 1)
    assert max(sizes) <= BATCH
    assert sum(sizes) == BATCH + 1


async def test_what_is_told_while_a_member_runs_arrives(rig: Rig) -> None:
    async with rig.running(rig.member()):
        for each in range(1, 6):
            await rig.tell("a")
            await rig.has_effects(each)
    assert await rig.numbers() == [1, 2, 3, 4, 5]


async def test_a_member_that_starts_again_goes_on_where_it_stopped(rig: Rig) -> None:
    await rig.tell("a", "b")
    async with rig.running(rig.member("first")):
        await rig.has_effects(2)
    await rig.tell("c")
    handed_out: list[int] = []

    async def prepare(batch: Sequence[Recorded]) -> None:
        handed_out.append(len(batch))

    async with rig.running(rig.member("second", prepare=prepare)):
        await rig.has_effects(3)
    assert handed_out == [1]


async def test_a_redelivery_of_everything_changes_nothing_and_is_counted(rig: Rig, kind: Kind) -> None:
    await rig.tell(*(f"x{each}" for each in range(30)))
    async with rig.running(rig.member()):
        await rig.has_effects(30)
    before = counted("repeated")
    await kind.deliver_again(rig.own, CONSUMER)
    again = rig.member()
    assert await again.lag() == 30
    async with rig.running(again):
        await rig.caught_up(again)
    assert await rig.numbers() == list(range(1, 31))
    assert counted("repeated") - before == 30


async def test_a_record_that_comes_twice_in_one_batch_takes_effect_once(rig: Rig) -> None:
    await rig.tell(*(f"x{each}" for each in range(10)))
    member = rig.member(source_of=Stutter)
    async with rig.running(member):
        await rig.caught_up(member)
    assert await rig.numbers() == list(range(1, 11))


async def test_types_that_were_not_asked_for_do_not_arrive_and_do_not_wait(rig: Rig) -> None:
    await rig.tell_failed("a", "b")
    await rig.tell("c")
    await rig.tell_failed("d")
    member = rig.member()
    async with rig.running(member):
        await rig.has_effects(1)
        await rig.caught_up(member)
    assert await rig.effects() == [("c", 3)]
    assert await rig.letters() == []


async def test_types_that_a_bus_hands_out_unasked_are_ignored_and_counted(rig: Rig) -> None:
    before = counted("ignored")
    await rig.tell_failed("a", "b")
    await rig.tell("a")
    member = rig.member(hears=(AssessmentPassed, AssessmentFailed))
    async with rig.running(member):
        await rig.caught_up(member)
    assert await rig.effects() == [("a", 3)]
    assert counted("ignored") - before == 2


async def test_the_lag_is_what_waits(rig: Rig) -> None:
    member = rig.member()
    assert await member.lag() == 0
    await rig.tell("a", "b", "c")
    assert await member.lag() == 3
    async with rig.running(member):
        await rig.has_effects(3)
    assert await member.lag() == 0


@pytest.mark.parametrize("size", [1, 2, 3, 499])
async def test_every_batch_size_takes_everything(rig: Rig, size: int) -> None:
    await rig.tell(*(f"x{each}" for each in range(11)))
    async with rig.running(rig.member(batch_records_max=size)):
        await rig.has_effects(11)
    assert await rig.numbers() == list(range(1, 12))
