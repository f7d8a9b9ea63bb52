"""A stop ends the wait for records at once, and neither loses nor repeats one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

import shared.bus.consumer
from shared.bus.consumer import Consumer
from shared.bus.seam import Record, Source
from shared.eventstore import Recorded
from tests.contract.bus.member import Watched
from tests.contract.bus.rig import WAIT_S, Rig

LONGER_THAN_ANY_TEST_S = 3600.0


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for records so long that only a stop can end it."""
    monkeypatch.setattr(shared.bus.consumer, "POLL_WAIT_S", LONGER_THAN_ANY_TEST_S)


class Polled(Watched):
    """A source that tells when it was asked and how often it answered."""

    def __init__(self, source: Source) -> None:
        super().__init__(source, lambda _: None)
        self.asked = asyncio.Event()
        self.answers = 0

    async def poll(self, records_max: int, wait_s: float) -> Sequence[Record]:
        self.asked.set()
        records = await super().poll(records_max, wait_s)
        self.answers += 1
        return records


class Holding(Watched):
    """A source that has fetched records and never gets to hand them out."""

    def __init__(self, source: Source) -> None:
        super().__init__(source, lambda _: None)
        self.fetched = asyncio.Event()

    async def poll(self, records_max: int, wait_s: float) -> Sequence[Record]:
        if await super().poll(records_max, wait_s):
            self.fetched.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


async def ended(member: Consumer, task: asyncio.Task[None]) -> None:
    """Stop `member` and wait until it has ended, without an error."""
    member.stop()
    await asyncio.wait_for(task, WAIT_S)


async def test_a_stop_ends_the_wait_of_an_idle_member(rig: Rig) -> None:
    sources: list[Polled] = []
    member = rig.member(source_of=lambda source: sources.append(Polled(source)) or sources[0])
    async with rig.running(member) as [task]:
        await asyncio.wait_for(sources[0].asked.wait(), WAIT_S)
        await ended(member, task)
    assert sources[0].answers == 0


async def test_what_a_cut_poll_had_fetched_goes_to_the_next_member(rig: Rig) -> None:
    sources: list[Holding] = []
    member = rig.member("cut", source_of=lambda source: sources.append(Holding(source)) or sources[0])
    await rig.tell("a", "b", "a")
    async with rig.running(member) as [task]:
        await asyncio.wait_for(sources[0].fetched.wait(), WAIT_S)
        await ended(member, task)
    async with rig.running(rig.member("next")):
        await rig.has_effects(3)
    assert await rig.numbers() == [1, 2, 3]
    assert await rig.members() == {"next"}


async def test_a_batch_in_hand_is_finished_and_not_cut(rig: Rig) -> None:
    in_hand, go_on = asyncio.Event(), asyncio.Event()

    async def work(_: Sequence[Recorded]) -> None:
        in_hand.set()
        await go_on.wait()

    member = rig.member(prepare=work)
    await rig.tell("a", "b")
    async with rig.running(member) as [task]:
        await asyncio.wait_for(in_hand.wait(), WAIT_S)
        member.stop()
        go_on.set()
        await asyncio.wait_for(task, WAIT_S)
    assert await rig.numbers() == [1, 2]
    assert await member.lag() == 0
