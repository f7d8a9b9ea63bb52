"""Services at work: settled means settled, a stop finishes what is in hand, a lane that hangs is seen."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import shared.bus.consumer
import shared.service
from shared.bus.consumer import Subscription
from shared.bus.health import Health
from shared.bus.local import LocalBus
from shared.bus.seam import Source
from shared.contracts.assessments import AssessmentPassed
from shared.contracts.event import PublishedEvent
from shared.contracts.learners import LearnerErased
from shared.database import Database
from shared.eventstore import Append, Recorded, Session
from shared.service import Loop, Running, running
from tests.conftest import Roles
from tests.integration.made_services import META, WAIT_S, a_bus, a_service, begin, nothing_pending

PASSED = AssessmentPassed(
    assessment_id="a",
    learner_id="00000000-0000-0000-0000-000000000000",
    achievement_id="00000000-0000-0000-0000-000000000000",
    achievement_version=1,
    assessed_at=datetime(2026, 3, 1, tzinfo=UTC),
    sealed="-",
)


async def test_settled_is_not_fooled_by_work_that_passes_to_a_lane_that_was_asked_already(
    roles: Roles, assessor: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first lane has nothing when it is asked; then the second, asked next, gives it work."""
    second_may, first_may = asyncio.Event(), asyncio.Event()
    done: list[str] = []

    async def take_first(batch: Sequence[Recorded], session: Session, _: Any) -> None:
        await first_may.wait()
        done.append("first")

    async def take_second(batch: Sequence[Recorded], session: Session, _: Any) -> None:
        await second_may.wait()
        await session.append([Append("acme", PASSED.stream, 0, (PASSED,), META)])

    service = a_service(
        assessor,
        tmp_path,
        Subscription("assessor.first", (AssessmentPassed,), take_first),
        Subscription("assessor.second", (LearnerErased,), take_second),
    )
    bus = await a_bus(roles)
    house = Running([service], bus)  # its lanes alone: housekeeping asks for the lag too
    first, second = house.consumers
    asked, lag_of_first = 0, first.lag

    async def ask_first() -> int:
        nonlocal asked
        asked += 1
        waiting = await lag_of_first()
        if asked == 1:
            second_may.set()
            while await second.lag():  # noqa: ASYNC110 - the event is a commit
                await asyncio.sleep(0)
        else:
            first_may.set()
        return waiting

    monkeypatch.setattr(first, "lag", ask_first)
    lanes = [asyncio.create_task(consumer.run()) for consumer in house.consumers]
    await begin(assessor)
    await house.settled(WAIT_S)
    assert done == ["first"]
    for consumer in house.consumers:
        consumer.stop()
    first_may.set()
    await asyncio.gather(*lanes)
    await bus.close()


class BusWithRelay(LocalBus):
    """A bus on which a fact waits for its lane from the moment on at which `relay` is asked a second time."""

    def relay(self, producer: str, database: Database) -> Any:
        return RelayThatPublishesWhenAsked(f"{producer}.relay")


@dataclass
class RelayThatPublishesWhenAsked:
    name: str
    health: Health = field(default_factory=Health)
    asked: int = 0

    async def pending(self) -> int:
        self.asked += 1
        return int(self.asked == 1)


class NoBus:
    """A bus that nobody may ask for anything."""

    name = "none"

    def source(self, consumer: str, events: Sequence[type[PublishedEvent]], database: Database) -> Source:
        raise AssertionError(f"{consumer} asked the bus")

    def relay(self, producer: str, database: Database) -> None:
        """Return None."""

    async def close(self) -> None:
        """Do nothing."""


async def test_a_lane_of_its_own_log_needs_no_bus(assessor: Database, tmp_path: Path) -> None:
    taken: list[Recorded] = []

    async def take(batch: Sequence[Recorded], session: Session, _: Any) -> None:
        taken.extend(batch)

    lane = Subscription("assessor.take", (LearnerErased,), take, own_log=True)
    async with running([a_service(assessor, tmp_path, lane)], NoBus()) as house:
        await begin(assessor)
        await house.settled(WAIT_S)
    assert [type(each.event) for each in taken] == [LearnerErased]


def test_a_lane_of_its_own_log_hears_nobody_else() -> None:
    with pytest.raises(ValueError, match="not all of its events are in the log of issuer"):
        Subscription("issuer.take", (LearnerErased,), None, own_log=True)  # type: ignore[arg-type]


async def test_settled_is_not_fooled_by_a_relay_that_publishes_just_before_it_is_asked(
    roles: Roles, assessor: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lane has nothing while the fact is not on the bus; and no log grows when the fact gets there."""
    may, done = asyncio.Event(), asyncio.Event()

    async def take(batch: Sequence[Recorded], session: Session, _: Any) -> None:
        await may.wait()
        done.set()

    service = a_service(assessor, tmp_path, Subscription("assessor.take", (LearnerErased,), take))
    bus = BusWithRelay(await Database.open(roles.dsn("bus_reader"), "bus_reader"))
    house = Running([service], bus)
    (lane,), (relay,) = house.consumers, house.relays
    lag_of_log = lane.lag

    async def lag_of_bus() -> int:
        if relay.asked < 2:  # type: ignore[attr-defined] # the relay of this test
            return 0
        may.set()
        return await lag_of_log()

    monkeypatch.setattr(lane, "lag", lag_of_bus)
    working = asyncio.create_task(lane.run())
    await begin(assessor)
    await house.settled(WAIT_S)
    assert done.is_set()
    lane.stop()
    await working
    await bus.close()


async def test_settled_names_what_still_waits(roles: Roles, assessor: Database, tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def hold(*_: object) -> None:
        await go_on.wait()

    lane = Subscription("assessor.hold", (LearnerErased,), hold)
    async with running([a_service(assessor, tmp_path, lane)], await a_bus(roles)) as house:
        await begin(assessor)
        with pytest.raises(TimeoutError, match=r"assessor\.hold"):
            await house.settled(0.2)
        go_on.set()
        await house.settled(WAIT_S)


async def test_a_stop_finishes_and_commits_the_batch_in_hand(
    roles: Roles, assessor: Database, tmp_path: Path
) -> None:
    in_hand, go_on = asyncio.Event(), asyncio.Event()

    async def handle(batch: Sequence[Recorded], session: Session, _: Any) -> None:
        in_hand.set()
        await go_on.wait()

    lane = Subscription("assessor.hold", (LearnerErased,), handle)
    house = Running([a_service(assessor, tmp_path, lane)], await a_bus(roles))
    await begin(assessor)
    house.start()
    await in_hand.wait()
    stopping = asyncio.create_task(house.stop())
    await asyncio.sleep(0)
    assert house.stopping
    assert not stopping.done()
    go_on.set()
    await stopping
    async with assessor.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM inbox") == 1
        assert await connection.fetchval("SELECT bool_and(held_until < now()) FROM cursor")


async def test_a_stop_ends_what_does_not_end_in_time_and_leaves_nothing_of_it(
    roles: Roles, assessor: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared.service, "STOP_WAIT_S", 0.2)
    in_hand = asyncio.Event()

    async def hang(batch: Sequence[Recorded], session: Session, _: Any) -> None:
        in_hand.set()
        await asyncio.Event().wait()

    lane = Subscription("assessor.hang", (LearnerErased,), hang)
    async with running([a_service(assessor, tmp_path, lane)], await a_bus(roles)):
        await begin(assessor)
        await in_hand.wait()
    async with (
        await Database.open(roles.dsn("assessor"), "assessor") as again,
        again.connection() as connection,
    ):
        assert await connection.fetchval("SELECT count(*) FROM inbox") == 0


async def test_a_loop_that_ends_by_itself_makes_the_house_unready(
    roles: Roles, assessor: Database, tmp_path: Path
) -> None:
    async def end(_: asyncio.Event) -> None:
        return

    loop = Loop("assessor.loop", end, nothing_pending)
    async with running([a_service(assessor, tmp_path, loops=(loop,))], await a_bus(roles)) as house:
        await asyncio.sleep(0)
        assert house.problems() == {"assessor.loop": "stopped"}


async def test_a_loop_that_fails_is_told_of_and_begun_again(
    roles: Roles,
    assessor: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(shared.service, "LOOP_AGAIN_AFTER_S", 0.05)
    again = asyncio.Event()
    begun = []

    async def fail_once(stopping: asyncio.Event) -> None:
        begun.append(stopping)
        if len(begun) == 1:
            raise LookupError("learner@example.org")
        again.set()
        await stopping.wait()

    loop = Loop("assessor.loop", fail_once, nothing_pending)
    async with running([a_service(assessor, tmp_path, loops=(loop,))], await a_bus(roles)) as house:
        await asyncio.sleep(0)
        assert house.problems() == {"assessor.loop": "failed: LookupError"}
        async with asyncio.timeout(WAIT_S):
            await again.wait()
        assert house.problems() == {}
        await house.settled(WAIT_S)
    told = capsys.readouterr().out
    assert "loop failed" in told
    assert "in fail_once" in told
    assert "learner@example.org" not in told


async def test_what_is_opened_is_closed_even_if_a_later_part_does_not_start(
    roles: Roles, assessor: Database, tmp_path: Path
) -> None:
    (tmp_path / "0001_broken.sql").write_text("SELECT no_such_column")
    bus = await a_bus(roles)

    async def run() -> None:
        async with running([a_service(assessor, tmp_path)], bus):
            raise AssertionError("it started")

    with pytest.raises(Exception, match="no_such_column"):
        await run()
    assert assessor._pool.is_closing()
    assert bus._log._pool.is_closing()


async def test_an_inbox_is_pruned_of_what_is_old_and_of_nothing_else(
    roles: Roles, assessor: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with assessor.connection() as connection:
        await connection.execute(
            "INSERT INTO inbox (consumer, event_id, seen_at)"
            " SELECT 'x', gen_random_uuid(), now() - make_interval(days => age)"
            " FROM unnest(ARRAY[1, 29, 31, 400]) AS age"
        )
    await shared.service._prune(a_service(assessor, tmp_path))
    async with assessor.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM inbox") == 2
