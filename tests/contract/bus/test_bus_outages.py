"""When what a consumer needs is away, it waits: nothing is buried, lost or done twice, and it says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

import shared.bus.health
from shared.bus import dead_letters
from shared.database import SHARED_MIGRATIONS, Database, migrate, read_migrations
from shared.embedded import Cluster
from shared.errors import Unavailable
from shared.eventstore import Recorded
from shared.provision import LOGIN_ROLES, provision
from tests.contract.bus.buses import KINDS
from tests.contract.bus.conftest import ROLES
from tests.contract.bus.rig import Rig, number, until

PASSWORD = "test"


async def test_a_handler_whose_needs_are_away_gets_the_same_batch_until_they_are_back(rig: Rig) -> None:
    await rig.tell("a", "b", "c")
    tries: list[int] = []

    def spoil(recorded: Recorded) -> None:
        if number(recorded) == 2:
            tries.append(1)
            if len(tries) < 4:
                raise Unavailable("The vault is away.")

    async with rig.running(rig.member(spoil=spoil)):
        await rig.has_effects(3)
    assert await rig.numbers() == [1, 2, 3]
    assert await rig.letters() == []


async def test_a_wait_that_lasts_makes_the_lane_unready_and_its_end_makes_it_ready(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared.bus.health, "UNAVAILABLE_UNREADY_S", 0.1)
    await rig.tell("a")
    away = True

    def spoil(_: Recorded) -> None:
        if away:
            raise Unavailable("The vault is away.")

    member = rig.member(spoil=spoil)

    async def unready() -> bool:
        return member.health.problem() is not None

    async with rig.running(member):
        await until(unready)
        away = False
        await rig.has_effects(1)

        async def ready() -> bool:
            return member.health.problem() is None

        await until(ready)


async def test_a_member_that_is_stopped_while_it_waits_ends_and_keeps_its_batch_for_the_next(
    rig: Rig,
) -> None:
    await rig.tell("a", "b")
    waiting = asyncio.Event()

    def spoil(_: Recorded) -> None:
        waiting.set()
        raise Unavailable("The vault is away.")

    async with rig.running(rig.member("first", spoil=spoil)):
        await waiting.wait()
    async with rig.running(rig.member("second")):
        await rig.has_effects(2)
    assert await rig.letters() == []


async def test_a_database_that_goes_away_while_a_record_is_buried_loses_nothing_behind_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    bury, refusals = dead_letters.bury, []

    async def bury_at_the_second_try(*arguments: object) -> None:
        if not refusals:
            refusals.append(1)
            raise Unavailable("The database is away.")
        await bury(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(dead_letters, "bury", bury_at_the_second_try)
    await rig.tell(*(f"x{each}" for each in range(10)))

    def spoil(recorded: Recorded) -> None:
        if number(recorded) == 4:
            raise ValueError

    member = rig.member(spoil=spoil)
    async with rig.running(member):
        await rig.caught_up(member)
    assert await rig.numbers() == [1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert await rig.letters() == [("x3", "buried")]
    assert refusals


@pytest.fixture
async def private_cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """A PostgreSQL that this test may kill."""
    cluster = await asyncio.to_thread(Cluster.open, tmp_path / "postgres")
    yield cluster
    await asyncio.to_thread(cluster.stop)


@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_postgresql_may_end_in_the_middle_of_a_batch_and_come_back(
    private_cluster: Cluster, bus_kind: str, broker: dict[str, str], end: str
) -> None:
    roles = dict.fromkeys(LOGIN_ROLES, PASSWORD)
    await provision(private_cluster.dsn(), roles)
    dsns = {role: private_cluster.dsn("postgres", role, quote(PASSWORD)) for role in ROLES}
    kind = KINDS[bus_kind](dsns | broker)
    async with (
        await Database.open(dsns["assessor"], "assessor") as producer,
        await Database.open(dsns["issuer"], "issuer") as own,
        kind.made(),
    ):
        bus = await kind.open()
        for database in (producer, own):
            await migrate(database, read_migrations("shared", SHARED_MIGRATIONS))
        rig = Rig(producer, own, bus)
        await rig.prepare()
        async with rig.carrying():
            await rig.tell(*(f"x{each}" for each in range(20)))
            away = asyncio.Event()
            in_hand = asyncio.Event()

            async def hold(_: object) -> None:
                in_hand.set()
                await away.wait()

            member = rig.member(batch_records_max=6, prepare=hold)
            async with rig.running(member):
                await in_hand.wait()
                await asyncio.to_thread(private_cluster.kill if end == "kill" else private_cluster.stop)
                away.set()

                async def waits() -> bool:
                    return member.health.unavailable_since is not None

                await until(waits)
                await asyncio.to_thread(private_cluster.restart)
                await rig.has_effects(20)
                await rig.tell("after")
                await rig.has_effects(21)
        assert await rig.numbers() == list(range(1, 22))
        assert await rig.letters() == []
        await bus.close()
