"""Members that are killed, paused or slow: another takes over, and nothing takes effect twice or never."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import shared.bus.kafka.source
import shared.bus.local
from shared.eventstore import Recorded
from tests.contract.bus.buses import SHORT_LEASE_S, Kind
from tests.contract.bus.member import PAUSES, POINTS
from tests.contract.bus.rig import WAIT_S, Rig, until

PROJECT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take over from silent members soon."""
    monkeypatch.setattr(shared.bus.local, "LEASE_S", SHORT_LEASE_S)
    monkeypatch.setattr(shared.bus.kafka.source, "SESSION_WAIT_S", SHORT_LEASE_S)


class Elsewhere:
    """A member in another process."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def says(self, word: str) -> None:
        """Wait until the member says `word`."""
        assert self._process.stdout is not None
        async with asyncio.timeout(WAIT_S):
            while line := await self._process.stdout.readline():
                if line.decode().strip() == word:
                    return
        raise AssertionError(f"the member ended and never said {word!r}")

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait for the end; returns the exit code."""
        async with asyncio.timeout(WAIT_S):
            return await self._process.wait()


@asynccontextmanager
async def elsewhere(
    bus_kind: str, addresses: dict[str, str], point: str, name: str = "elsewhere"
) -> AsyncIterator[Elsewhere]:
    """Run a member in a process of its own until the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.contract.bus.member",
        stdin=PIPE,
        stdout=PIPE,
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    try:
        assert process.stdin is not None
        process.stdin.write(
            json.dumps({"bus": bus_kind, "addresses": addresses, "name": name, "point": point}).encode()
            + b"\n"
        )
        yield Elsewhere(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("point", POINTS)
async def test_a_member_killed_at_any_point_leaves_every_record_with_one_effect(
    rig: Rig, bus_kind: str, addresses: dict[str, str], point: str
) -> None:
    await rig.tell("a", "b", "a", "c", "a", "b", "c", "a", "d", "a")
    async with elsewhere(bus_kind, addresses, point) as victim:
        assert await victim.ended() == -signal.SIGKILL, "the point was never reached"
    committed = await rig.effects()
    assert (len(committed) > 0) == (POINTS.index(point) >= POINTS.index("committed and not acknowledged"))
    async with rig.running(rig.member("next")) as [task]:
        await rig.has_effects(10)
        assert not task.done()
    assert await rig.numbers() == list(range(1, 11))
    assert await rig.letters() == []


async def test_a_second_member_helps_or_stands_by_and_takes_over_when_the_first_stops(
    rig: Rig, kind: Kind
) -> None:
    first, second = rig.member("first"), rig.member("second")
    await rig.tell("a")
    async with rig.running(first) as [task]:
        await rig.has_effects(1)
        async with rig.running(second):
            for each in range(2, 12):
                await rig.tell("a", "b")
                await rig.has_effects(each)
            await rig.caught_up(first)
            if not kind.shares_work:
                assert await rig.members() == {"first"}
            first.stop()
            await asyncio.wait([task])
            await rig.tell("c")
            await rig.has_effects(22)
    assert await rig.members() == {"first", "second"}
    assert await rig.numbers() == list(range(1, 23))


async def test_a_killed_members_place_is_taken_when_its_lease_ends(
    rig: Rig, bus_kind: str, addresses: dict[str, str]
) -> None:
    async with elsewhere(bus_kind, addresses, "never") as first:
        await first.says("running")
        await rig.tell("a")
        await rig.has_effects(1)
        async with rig.running(rig.member("second")):
            first.send(signal.SIGKILL)
            await first.ended()
            await rig.tell("b")
            await rig.has_effects(2)
    assert await rig.members() == {"elsewhere", "second"}
    assert await rig.numbers() == [1, 2]


@pytest.mark.parametrize("point", PAUSES)
async def test_a_zombie_that_comes_back_after_a_pause_is_fenced_and_has_no_second_effect(
    rig: Rig, bus_kind: str, addresses: dict[str, str], point: str
) -> None:
    await rig.tell("a", "b", "a")
    async with elsewhere(bus_kind, addresses, point) as zombie:
        await zombie.says("in hand")
        assert await rig.effects() == []
        async with rig.running(rig.member("second")):
            await rig.has_effects(3)
            zombie.send(signal.SIGCONT)
            await zombie.says("rewound")
            assert await rig.members() == {"second"}
            await rig.tell("a")
            await rig.has_effects(4)
    assert await rig.numbers() == [1, 2, 3, 4]


async def test_slow_work_is_not_taken_for_death_while_another_member_waits(rig: Rig, kind: Kind) -> None:
    """Two members that fence each other in turns would work for ever and finish nothing."""
    in_hand, go_on = asyncio.Event(), asyncio.Event()

    async def work(_: Sequence[Recorded]) -> None:
        in_hand.set()
        await go_on.wait()

    await rig.tell(*(f"x{each}" for each in range(20)))
    async with rig.running(rig.member("slow", prepare=work)):
        await in_hand.wait()
        async with rig.own.connection() as connection:
            began = await connection.fetchval("SELECT clock_timestamp()")

        async def longer_than_any_lease() -> bool:
            async with rig.own.connection() as connection:
                now = await connection.fetchval("SELECT clock_timestamp()")
            return (now - began).total_seconds() > 2 * SHORT_LEASE_S

        async with rig.running(rig.member("waiting")):
            await until(longer_than_any_lease)
            assert await rig.effects() == []
            go_on.set()
            await rig.has_effects(20)
    assert await rig.numbers() == list(range(1, 21))
    if not kind.shares_work:
        assert await rig.members() == {"slow"}
