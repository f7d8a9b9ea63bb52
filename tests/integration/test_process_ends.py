"""A process that cannot do its work ends, so that a supervisor starts a fresh one; a slow one goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

import shared.bus.consumer
import shared.service
from shared import progress
from shared.bus.consumer import Subscription, TooManyBuriedError
from shared.bus.local import LocalSource
from shared.bus.seam import BrokenError
from shared.contracts.learners import LearnerErased
from shared.database import Database
from shared.errors import Conflict
from shared.eventstore import Recorded
from shared.program import EXIT_REFUSED, EXIT_STUCK
from shared.service import Loop, running
from tests.conftest import Roles
from tests.integration.made_services import WAIT_S, a_bus, a_service, begin, nothing_pending


def exit_code(monkeypatch: pytest.MonkeyPatch) -> asyncio.Future[int]:
    """Return what the process would end with, once it would."""
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    monkeypatch.setattr(shared.service.os, "_exit", lambda code: ended.done() or ended.set_result(code))
    return ended


async def test_a_lane_that_hangs_with_work_waiting_ends_the_process(
    roles: Roles, assessor: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared.bus.consumer, "PROGRESS_WAIT_S", 0.1)
    monkeypatch.setattr(shared.service, "HOUSEKEEPING_EVERY_S", 0.05)
    ended = exit_code(monkeypatch)
    go_on = asyncio.Event()

    async def hang(*_: object) -> None:
        await go_on.wait()

    lane = Subscription("assessor.hang", (LearnerErased,), hang)
    async with running([a_service(assessor, tmp_path, lane)], await a_bus(roles)):
        await begin(assessor)
        async with asyncio.timeout(WAIT_S):
            assert await ended == EXIT_STUCK
        go_on.set()


async def test_a_lane_that_is_slow_and_says_that_it_gets_on_is_not_ended(
    roles: Roles, assessor: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its preparation takes many times PROGRESS_WAIT_S, and each part of it is done well within."""
    monkeypatch.setattr(shared.bus.consumer, "PROGRESS_WAIT_S", 1.0)
    monkeypatch.setattr(shared.service, "HOUSEKEEPING_EVERY_S", 0.05)
    ended: list[int] = []
    monkeypatch.setattr(shared.service.os, "_exit", ended.append)
    taken = asyncio.Event()

    async def prepare(_: Sequence[Recorded]) -> None:
        for _ in range(40):
            await asyncio.sleep(0.05)
            progress.made()

    async def handle(*_: object) -> None:
        taken.set()

    lane = Subscription("assessor.work", (LearnerErased,), handle, prepare)
    async with running([a_service(assessor, tmp_path, lane)], await a_bus(roles)):
        await begin(assessor)
        async with asyncio.timeout(WAIT_S):
            await taken.wait()
    assert not ended


async def test_a_person_is_told_why_the_process_ends(
    roles: Roles, assessor: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = exit_code(monkeypatch)
    told: list[str] = []

    async def refuses(_: asyncio.Event) -> None:
        raise Conflict("made-up", "Another wrote here.")

    service = a_service(assessor, tmp_path, loops=(Loop("assessor.loop", refuses, nothing_pending),))
    async with running([service], await a_bus(roles)) as house, asyncio.timeout(WAIT_S):
        house.farewell = told.append
        assert await ended == EXIT_REFUSED
    assert told[0] == "assessor.loop: Another wrote here."


async def test_what_is_broken_for_good_ends_the_process(
    roles: Roles, assessor: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = exit_code(monkeypatch)

    async def breaks(_: asyncio.Event) -> None:
        raise BrokenError("No retry mends this.")

    service = a_service(assessor, tmp_path, loops=(Loop("relay", breaks, nothing_pending),))
    async with running([service], await a_bus(roles)) as house, asyncio.timeout(WAIT_S):
        assert await ended == EXIT_STUCK
        assert house.problems() == {"relay": "stopped"}


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (BrokenError("No retry mends this."), "assessor.lane: No retry mends this."),
        (RuntimeError("learner@example.org"), "assessor.lane: stopped: RuntimeError"),
        (asyncio.CancelledError(), "assessor.lane: stopped: CancelledError"),
    ],
    ids=("broken", "unforeseen", "cancelled"),
)
async def test_a_lane_that_ended_ends_the_process(
    roles: Roles,
    assessor: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: BaseException,
    told: str,
) -> None:
    """Whatever it ended of: a client may fail in ways that nobody foresaw, or cancel whoever asked it."""
    ended, heard = exit_code(monkeypatch), list[str]()

    async def fails(*_: object) -> None:
        raise failure

    async def ignored(*_: object) -> None:
        """Take whatever comes."""

    monkeypatch.setattr(LocalSource, "poll", fails)
    lane = Subscription("assessor.lane", (LearnerErased,), ignored)
    async with running([a_service(assessor, tmp_path, lane)], await a_bus(roles)) as house:
        house.farewell = heard.append
        async with asyncio.timeout(WAIT_S):
            assert await ended == EXIT_STUCK
        assert house.problems().keys() == {"assessor.lane"}
    assert heard == [told]


async def test_a_lane_that_stopped_rather_than_bury_the_log_does_not_end_the_process(
    roles: Roles, assessor: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fresh process would bury as many again."""
    ended = exit_code(monkeypatch)
    monkeypatch.setattr(shared.bus.consumer, "BURIED_PER_MINUTE_MAX", 0)

    async def fails(*_: object) -> None:
        raise ValueError("a fault of ours")

    lane = Subscription("assessor.lane", (LearnerErased,), fails)
    async with running([a_service(assessor, tmp_path, lane)], await a_bus(roles)) as house:
        await begin(assessor)
        [task] = [each for each in asyncio.all_tasks() if each.get_name() == lane.name]
        await asyncio.wait([task], timeout=WAIT_S)
        await asyncio.sleep(0)  # whoever waits for its end has heard of it
        assert house.problems() == {"assessor.lane": f"stopped: {TooManyBuriedError.__name__}"}
        assert not ended.done()
