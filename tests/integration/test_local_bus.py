"""What is the local bus's own: how it reads the logs, what its cursor says, and whom it waits for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from shared.bus import codec, local
from shared.bus.local import LocalBus, LocalSource
from shared.bus.seam import FencedError
from shared.clock import ordered_uuid
from shared.contracts.assessments import AssessmentPassed
from shared.contracts.issuers import ApiKeyRevoked
from shared.contracts.learners import LearnerErased
from shared.contracts.registry import UPCASTS, Upcast
from shared.database import Database
from shared.errors import Unavailable
from shared.eventstore import Append, Meta, log
from tests.conftest import Roles
from tests.integration.made_services import a_bus

META = Meta("operator:cli", "c-1")
AT = datetime(2026, 3, 1, tzinfo=UTC)
ALL = 1_000
NOW_S = 0.0
OLD_BYTES = b'{"who": "0b4b7a5e-5a0c-4c37-9d1f-2f6d5d1c9a11", "erased_at": "2026-03-01T00:00:00Z"}'


@pytest.fixture
async def bus(roles: Roles) -> AsyncIterator[LocalBus]:
    opened = LocalBus(await Database.open(roles.dsn("bus_reader"), "bus_reader"))
    yield opened
    await opened.close()


async def erased(database: Database, number: int = 1) -> None:
    async with database.session() as session:
        events = [LearnerErased(learner_id=str(uuid4()), erased_at=AT) for _ in range(number)]
        await session.append([Append("acme", event.stream, 0, (event,), META) for event in events])


async def taken(source: LocalSource, own: Database, records_max: int = ALL) -> list[str]:
    """Poll once and deal with what came; returns the types."""
    records = await source.poll(records_max, NOW_S)
    if records:
        async with own.session() as session:
            await source.mark(session, records)
        await source.acknowledge(records)
    return [codec.event_type(record) for record in records]


async def cursor(own: Database) -> dict[str, int]:
    async with own.connection() as connection:
        return {row["name"]: row["position"] for row in await connection.fetch("SELECT * FROM cursor")}


async def test_one_consumer_reads_several_producers_and_keeps_a_cursor_for_each(
    bus: LocalBus, assessor: Database, issuer: Database
) -> None:
    await erased(assessor, 2)
    async with issuer.session() as session:
        revoked = ApiKeyRevoked(prefix="abcdefgh", revoked_at=AT)
        await session.append([Append("acme", revoked.stream, 0, (revoked,), META)])
    source = bus.source("issuer.x", (LearnerErased, ApiKeyRevoked), issuer)
    first, second = await taken(source, issuer), await taken(source, issuer)
    assert sorted([first, second]) == [[ApiKeyRevoked.TYPE], [LearnerErased.TYPE] * 2]
    assert await taken(source, issuer) == []
    assert await cursor(issuer) == {"issuer.x<assessor": 2, "issuer.x<issuer": 1}
    await source.close()


async def test_a_busy_producer_does_not_keep_a_quiet_one_waiting(
    bus: LocalBus, assessor: Database, issuer: Database
) -> None:
    await erased(assessor, 10)
    async with issuer.session() as session:
        revoked = ApiKeyRevoked(prefix="abcdefgh", revoked_at=AT)
        await session.append([Append("acme", revoked.stream, 0, (revoked,), META)])
    source = bus.source("issuer.x", (LearnerErased, ApiKeyRevoked), issuer)
    first_two = [await taken(source, issuer, 1) for _ in range(2)]
    assert [ApiKeyRevoked.TYPE] in first_two
    await source.close()


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven positions a look; and every look renews the lease, and writes the cursor."""
    monkeypatch.setattr(log, "SCAN_POSITIONS_MAX", 7)
    monkeypatch.setattr(local, "SCAN_POSITIONS_MAX", 7)
    monkeypatch.setattr(local, "LEASE_S", 0.0)


@pytest.mark.usefixtures("small_windows")
async def test_windows_that_were_passed_over_are_not_looked_through_again_after_a_failure(
    bus: LocalBus, assessor: Database, issuer: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await erased(assessor, 50)
    looks = 0

    async def two_looks(*words: Any, **named: Any) -> Any:
        nonlocal looks
        looks += 1
        if looks > 2:
            raise Unavailable("The database is away.")
        return await log.read_stored(*words, **named)

    monkeypatch.setattr(local, "read_stored", two_looks)
    source = bus.source("issuer.x", (AssessmentPassed,), issuer)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await source.poll(1, NOW_S)
    assert await cursor(issuer) == {"issuer.x<assessor": 14}
    await source.close()


@pytest.mark.usefixtures("small_windows")
async def test_what_is_not_for_us_is_passed_over_in_windows_and_the_cursor_remembers(
    bus: LocalBus, assessor: Database, issuer: Database
) -> None:
    await erased(assessor, 50)
    passed = AssessmentPassed(
        assessment_id="a",
        learner_id=str(uuid4()),
        achievement_id=str(uuid4()),
        achievement_version=1,
        assessed_at=AT,
        sealed="-",
    )
    source = bus.source("issuer.x", (AssessmentPassed,), issuer)
    assert await taken(source, issuer) == []
    assert await taken(source, issuer) == []
    assert await cursor(issuer) == {"issuer.x<assessor": 50}
    async with assessor.session() as session:
        await session.append([Append("acme", passed.stream, 0, (passed,), META)])
    assert await source.lag() == 1
    assert await taken(source, issuer) == [AssessmentPassed.TYPE]
    assert await source.lag() == 0
    await source.close()


async def test_a_batch_that_was_not_acknowledged_is_handed_out_again_after_a_rewind(
    bus: LocalBus, assessor: Database, issuer: Database
) -> None:
    await erased(assessor, 3)
    source = bus.source("issuer.x", (LearnerErased,), issuer)
    first = await source.poll(2, NOW_S)
    await source.rewind()
    assert await source.poll(2, NOW_S) == first
    await source.close()


async def test_a_rewind_goes_no_further_back_than_what_was_committed(
    bus: LocalBus, assessor: Database, issuer: Database
) -> None:
    await erased(assessor, 4)
    source = bus.source("issuer.x", (LearnerErased,), issuer)
    batch = await source.poll(4, NOW_S)
    async with issuer.session() as session:
        await source.mark(session, batch[:2])
    await source.rewind()
    assert await source.poll(4, NOW_S) == batch[2:]
    await source.close()


async def test_a_mark_that_is_rolled_back_moves_nothing(
    bus: LocalBus, assessor: Database, issuer: Database
) -> None:
    await erased(assessor)
    source = bus.source("issuer.x", (LearnerErased,), issuer)
    batch = await source.poll(1, NOW_S)

    async def fail() -> None:
        async with issuer.session() as session:
            await source.mark(session, batch)
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await cursor(issuer) == {"issuer.x<assessor": 0}
    await source.close()


async def test_one_member_holds_the_cursor_and_gives_it_up_when_it_closes(
    bus: LocalBus, assessor: Database, issuer: Database
) -> None:
    await erased(assessor, 2)
    first, second = (bus.source("issuer.x", (LearnerErased,), issuer) for _ in range(2))
    assert await taken(first, issuer, 1) == [LearnerErased.TYPE]
    assert await taken(second, issuer) == []
    await first.close()
    assert await taken(second, issuer) == [LearnerErased.TYPE]
    await second.close()


async def test_a_member_whose_place_was_taken_cannot_move_the_cursor(
    bus: LocalBus, assessor: Database, issuer: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await erased(assessor, 2)
    first, second = (bus.source("issuer.x", (LearnerErased,), issuer) for _ in range(2))
    batch = await first.poll(1, NOW_S)
    async with issuer.connection() as connection:
        await connection.execute("UPDATE cursor SET held_until = '-infinity'")
    assert await taken(second, issuer) == [LearnerErased.TYPE] * 2

    async def mark() -> None:
        async with issuer.session() as session:
            await first.mark(session, batch)

    with pytest.raises(FencedError):
        await mark()
    assert await cursor(issuer) == {"issuer.x<assessor": 2}
    await first.close()
    await second.close()


async def test_a_producer_that_is_not_there_yet_is_waited_for(unmigrated: Roles, issuer: Database) -> None:
    bus = await a_bus(unmigrated)
    source = bus.source("issuer.x", (LearnerErased,), issuer)
    with pytest.raises(Unavailable, match="assessor"):
        await source.poll(1, NOW_S)
    with pytest.raises(Unavailable, match="assessor"):
        await source.lag()
    await source.close()
    await bus.close()


async def test_a_lag_is_counted_no_further_than_its_limit(
    bus: LocalBus, assessor: Database, issuer: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "LAG_RECORDS_MAX", 5)
    await erased(assessor, 9)
    assert await bus.source("issuer.x", (LearnerErased,), issuer).lag() == 5


async def test_events_of_a_superseded_type_reach_whoever_asks_for_the_newest(
    bus: LocalBus, assessor: Database, issuer: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    lift = Upcast("learner.erased.v1", lambda old: {"learner_id": old["who"], "erased_at": old["erased_at"]})
    monkeypatch.setitem(UPCASTS, "learner.gone.v1", lift)  # type: ignore[arg-type]
    async with assessor.session() as session:
        await session.connection.execute(
            "INSERT INTO event (issuer_id, stream, version, type, data, meta, id, at)"
            " VALUES ('acme', 'learner-0b4b7a5e-5a0c-4c37-9d1f-2f6d5d1c9a11', 1, 'learner.gone.v1', $1,"
            """ '{"actor": "operator:cli", "correlation": "c-1"}', $2, now())""",
            OLD_BYTES,
            ordered_uuid(),
        )
    source = bus.source("issuer.x", (LearnerErased,), issuer)
    [record] = await source.poll(1, NOW_S)
    await source.close()
    assert codec.event_type(record) == "learner.gone.v1"
    assert codec.decode(record).event == LearnerErased(
        learner_id="0b4b7a5e-5a0c-4c37-9d1f-2f6d5d1c9a11", erased_at=AT
    )


async def test_a_lane_that_has_long_been_quiet_asks_seldom_and_one_that_was_not_asks_again_soon(
    bus: LocalBus, assessor: Database, issuer: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = bus.source("issuer.x", (LearnerErased,), issuer)
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def noted(delay_s: float) -> None:
        if delay_s > local.POLL_EVERY_S_MAX:  # whoever keeps the lease
            return await sleep(delay_s)
        pauses.append(delay_s)
        return await sleep(0)

    async def pauses_of_a_poll() -> list[float]:
        del pauses[:]
        with monkeypatch.context() as patched:
            patched.setattr(local.asyncio, "sleep", noted)
            await source.poll(ALL, 2 * local.POLL_EVERY_S_MAX)
        return pauses

    while local.POLL_EVERY_S_MAX not in await pauses_of_a_poll():
        pass
    assert (await pauses_of_a_poll())[0] == local.POLL_EVERY_S_MAX
    await erased(assessor)
    assert await taken(source, issuer) == [LearnerErased.TYPE]
    assert (await pauses_of_a_poll())[0] == local.POLL_EVERY_S
