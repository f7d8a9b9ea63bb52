"""A rebuild of the issuer beside a living one: readers are never kept out, and writers wait their turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest

from services.issuer import domain, replay, status_list_store, store
from services.issuer.holding_store import lock_holdings
from services.issuer.projections import READ_MODELS, project
from services.issuer.replay import rebuild
from shared import clock
from shared.access import Scope
from shared.contracts.achievements import AchievementPublished
from shared.contracts.credentials import CredentialIssued
from shared.eventstore import Append, Recorded
from shared.eventstore.log import Connection
from tests.integration.issuer.conftest import META, SETTLE_WAIT_S, Desk, client
from tests.integration.issuer.posting import credential, post
from tests.unit.issuer.samples import DEFINITION

WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND usename = 'issuer' AND wait_event_type = 'Lock'
"""


async def lived(desk: Desk) -> None:
    """An issuer with a row in every read model."""
    await desk.tenant()
    achievement_id = await desk.achievement()
    await desk.passes(await desk.learner(), achievement_id, "a-1")
    token = await desk.api_key("oslo", Scope.CREDENTIALS_ISSUE)
    async with desk.house() as house, client(house, token) as http:
        assert (await post(http, credential())).status_code == 201
        await house.settled(SETTLE_WAIT_S)


async def rows(connection: Connection) -> dict[str, list[str]]:
    """Every row of every read model, in order."""
    return {
        table: [row[0] for row in await connection.fetch(f"SELECT t::text FROM {table} t ORDER BY 1")]
        for table in (*READ_MODELS, "api_key")
    }


async def test_until_a_rebuild_commits_everyone_reads_the_old_rows(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lived(desk)
    token = await desk.api_key("oslo", Scope.CREDENTIALS_READ)
    (issued,) = await desk.log(CredentialIssued)
    credential_id = issued.event.aggregate_id
    seen: list[Any] = []

    async with desk.house() as house, client(house, token) as http, desk.database() as other:
        await house.settled(SETTLE_WAIT_S)

        async def project_while_asked(connection: Connection, events: Sequence[Recorded]) -> None:
            assert not any((await rows(connection)).values()), "it is in the middle of its work"
            async with other.connection() as reader:
                seen.append(await rows(reader))
            pages = ("/issuers/oslo", f"/credentials/{credential_id}", f"/issuer/credentials/{credential_id}")
            seen.extend([(await http.get(page)).status_code for page in pages])
            await project(connection, events)

        monkeypatch.setattr(replay, "project", project_while_asked)
        async with desk.database() as database, other.connection() as reader:
            before = await rows(reader)
            await rebuild(database)
            assert await rows(reader) == before
    assert all(before.values())
    assert seen == [before, 200, 200, 200]


async def _until_it_waits(watching: Connection, rebuilding: asyncio.Task[int]) -> None:
    """Return once the rebuild waits for a lock; fails if it has ended instead."""
    while not await watching.fetchval(WAITING):
        assert not rebuilding.done(), "it waited for nobody"
        await asyncio.sleep(0.01)


async def _hold_lists(connection: Connection) -> None:
    (key,) = await connection.fetch("SELECT issuer_id, list_id::text FROM status_list")
    assert await status_list_store.lock_lists(connection, [(key[0], key[1])])


async def _hold_holdings(connection: Connection) -> None:
    (row,) = await connection.fetch("SELECT issuer_id, learner_id::text, achievement_id::text FROM holding")
    assert await lock_holdings(connection, {(row[0], row[1], row[2]): str(uuid4())})


async def _hold_tenant(connection: Connection) -> None:
    assert await store.reserve_places(connection, {"oslo": 1})


@pytest.mark.parametrize("hold", [_hold_lists, _hold_holdings, _hold_tenant])
async def test_a_rebuild_waits_for_who_is_about_to_append_and_loses_nothing_of_it(
    desk: Desk, hold: Callable[[Connection], Awaitable[None]]
) -> None:
    """Had the rebuild taken the log before the truth, the two would wait for each other for ever."""
    await lived(desk)
    event = AchievementPublished(
        achievement_id=str(clock.ordered_uuid()), version=1, definition=DEFINITION, published_at=clock.now()
    )
    async with desk.database() as database, desk.database() as watched:
        async with database.session() as session, watched.connection() as watching:
            await hold(session.connection)
            rebuilding = asyncio.create_task(rebuild(database))
            await _until_it_waits(watching, rebuilding)
            appended = await session.append([Append("oslo", event.stream, 0, (event,), META)])
            await project(session.connection, appended)
        assert await rebuilding == len(await desk.log())
        async with watched.connection() as reader:
            assert await store.achievement_at_address(reader, event.achievement_id, 1) == DEFINITION


async def test_a_rebuild_waits_for_who_has_appended_and_not_yet_projected(desk: Desk) -> None:
    """Had it not, the projection would look for a row that the rebuild has replaced, and change nothing."""
    await lived(desk)
    (issued,) = await desk.log(CredentialIssued)
    key = (issued.issuer_id, issued.stream)
    async with desk.database() as database, desk.database() as watched:
        async with database.session() as session, watched.connection() as watching:
            history = (await session.load([key]))[key]
            state = domain.credential_of(recorded.event for recorded in history)
            events = domain.decide_revoke(state, "misconduct", session.at)
            appended = await session.append([Append(*key, len(history), tuple(events), META)])
            rebuilding = asyncio.create_task(rebuild(database))
            await _until_it_waits(watching, rebuilding)
            await project(session.connection, appended)
        await rebuilding
        async with watched.connection() as reader:
            row = await store.credential(reader, issued.issuer_id, issued.event.aggregate_id)
    assert row is not None
    assert row.revocation_reason == "misconduct"
