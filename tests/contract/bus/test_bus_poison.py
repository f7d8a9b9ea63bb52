"""A record that cannot be taken is buried alone; the other 499 pass, and its key waits behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from shared.bus import dead_letters
from shared.bus.consumer import BURIED_PER_MINUTE_MAX, STALE_TRIES_MAX, TooManyBuriedError
from shared.errors import Invalid, StaleStream
from shared.eventstore import Recorded
from tests.contract.bus.buses import Kind
from tests.contract.bus.rig import CONSUMER, Rig, number

BATCH = 500
SECRET = "Ada Lovelace"

NOT_AN_EVENT = {
    "bytes that are not JSON": b"\xff\xfe",
    "JSON that is no object": b"[]",
    "an object without the fields": b'{"assessment_id": "bad"}',
}


def spoils(*numbers: int, fault: Callable[[], Exception]) -> Callable[[Recorded], None]:
    """Make the handler raise at the events with these numbers."""

    def spoil(recorded: Recorded) -> None:
        if number(recorded) in numbers:
            raise fault()

    return spoil


@pytest.mark.parametrize(
    "fault",
    [lambda: ValueError(SECRET), lambda: Invalid("bad", "It is bad."), lambda: OSError(SECRET)],
    ids=["bug", "rejected", "an error of the system"],
)
async def test_poison_in_the_middle_of_five_hundred_is_one_dead_letter_and_499_effects(
    rig: Rig, fault: Callable[[], Exception]
) -> None:
    await rig.tell(*(f"x{each}" for each in range(BATCH)))
    member = rig.member(spoil=spoils(250, fault=fault))
    async with rig.running(member):
        await rig.caught_up(member)
    assert await rig.numbers() == [each for each in range(1, BATCH + 1) if each != 250]
    assert await rig.letters() == [("x249", "buried")]


async def test_a_dead_letter_says_why_without_quoting_what_was_in_hand(rig: Rig) -> None:
    await rig.tell("bug", "refused")

    def spoil(recorded: Recorded) -> None:
        raise ValueError(SECRET) if number(recorded) == 1 else Invalid("bad", "It is bad.")

    member = rig.member(spoil=spoil)
    async with rig.running(member):
        await rig.caught_up(member)
    async with rig.own.connection() as connection:
        bug, refused = sorted(
            await dead_letters.open_letters(connection, CONSUMER), key=lambda letter: letter.key
        )
    assert "ValueError" in bug.error
    assert "in spoil" in bug.error
    assert SECRET not in bug.error
    assert refused.error == "bad: It is bad."
    assert refused.event_type == "assessment.passed.v1"


@pytest.mark.parametrize("data", NOT_AN_EVENT.values(), ids=NOT_AN_EVENT.keys())
async def test_what_cannot_be_decoded_is_found_by_halving(rig: Rig, data: bytes) -> None:
    await rig.tell(*(f"x{each}" for each in range(50)))
    await rig.tell_bytes("bad", data)
    await rig.tell(*(f"y{each}" for each in range(50)))
    member = rig.member()
    async with rig.running(member):
        await rig.caught_up(member)
    assert await rig.numbers() == list(range(1, 101))
    assert await rig.letters() == [("bad", "buried")]


async def test_a_record_whose_event_names_another_stream_is_buried(rig: Rig) -> None:
    [good] = await rig.tell("good")
    async with rig.producer.connection() as connection:
        data = await connection.fetchval("SELECT data FROM event WHERE id = $1", good.id)
    await rig.tell_bytes("impostor", data)
    member = rig.member()
    async with rig.running(member):
        await rig.caught_up(member)
    assert await rig.effects() == [("good", 1)]
    assert await rig.letters() == [("impostor", "buried")]


async def test_a_buried_record_is_not_claimed_and_leaves_no_half_effect(rig: Rig) -> None:
    told = await rig.tell("a", "b", "c")
    member = rig.member(spoil=spoils(2, fault=ValueError))
    async with rig.running(member):
        await rig.caught_up(member)
    async with rig.own.session() as session:
        assert await session.claimed(CONSUMER, [each.id for each in told]) == {told[0].id, told[2].id}


async def test_stale_streams_are_tried_again_before_anything_is_halved(rig: Rig) -> None:
    await rig.tell(*(f"x{each}" for each in range(8)))
    tries: list[int] = []

    def spoil(recorded: Recorded) -> None:
        if number(recorded) == 1:
            tries.append(1)
            if len(tries) <= STALE_TRIES_MAX:
                raise StaleStream("Somebody was first.")

    member = rig.member(spoil=spoil)
    async with rig.running(member):
        await rig.caught_up(member)
    assert await rig.numbers() == list(range(1, 9))
    assert len(tries) == STALE_TRIES_MAX + 1
    assert await rig.letters() == []


async def test_a_record_that_stays_stale_is_isolated(rig: Rig) -> None:
    await rig.tell(*(f"x{each}" for each in range(8)))
    member = rig.member(spoil=spoils(3, fault=lambda: StaleStream("Always.")))
    async with rig.running(member):
        await rig.caught_up(member)
    assert await rig.numbers() == [1, 2, 4, 5, 6, 7, 8]
    assert await rig.letters() == [("x2", "buried")]


async def test_too_many_bugs_in_a_minute_stop_the_lane_rather_than_bury_the_log(rig: Rig) -> None:
    told = 3 * BURIED_PER_MINUTE_MAX
    await rig.tell(*(f"x{each}" for each in range(told)))
    member = rig.member(spoil=spoils(*range(told + 1), fault=ValueError))
    async with rig.running(member) as [task]:
        await asyncio.wait([task])
    with pytest.raises(TooManyBuriedError):
        task.result()
    assert member.health.problem() == "stopped: TooManyBuriedError"
    buried = {key for key, _ in await rig.letters()}
    assert len(buried) == BURIED_PER_MINUTE_MAX + 1
    mended = rig.member("mended")
    async with rig.running(mended):
        await rig.caught_up(mended)
    assert {key for key, _ in await rig.effects()} == {f"x{each}" for each in range(told)} - buried


async def test_refusals_do_not_count_as_bugs(rig: Rig) -> None:
    told = BURIED_PER_MINUTE_MAX + 5
    await rig.tell(*(f"x{each}" for each in range(told)), "good")
    member = rig.member(spoil=spoils(*range(told + 1), fault=lambda: Invalid("bad", "It is bad.")))
    async with rig.running(member):
        await rig.has_effects(1)
    assert await rig.effects() == [("good", told + 1)]
    assert len(await rig.letters()) == told


async def test_later_records_of_a_buried_key_are_parked_behind_it_and_other_keys_go_on(rig: Rig) -> None:
    await rig.tell("a", "bad", "b", "bad", "bad", "a")
    member = rig.member(spoil=spoils(2, fault=ValueError))
    async with rig.running(member):
        await rig.has_effects(3)
        await rig.tell("bad", "b")
        await rig.has_effects(4)
        await rig.has_letters(4)
    assert await rig.effects() == [("a", 1), ("b", 3), ("a", 6), ("b", 8)]
    assert await rig.letters() == [("bad", "buried"), ("bad", "parked"), ("bad", "parked"), ("bad", "parked")]


async def test_a_redelivery_parks_nothing_that_was_handled_before_its_key_was_buried(
    rig: Rig, kind: Kind
) -> None:
    await rig.tell("a", "a", "a")
    member = rig.member(spoil=spoils(2, fault=ValueError), batch_records_max=1)
    async with rig.running(member):
        await rig.caught_up(member)
    await kind.deliver_again(rig.own, CONSUMER)
    again = rig.member(spoil=spoils(2, fault=ValueError))
    async with rig.running(again):
        await rig.caught_up(again)
    assert await rig.effects() == [("a", 1)]
    assert await rig.letters() == [("a", "buried"), ("a", "parked")]
