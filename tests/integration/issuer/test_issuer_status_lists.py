"""Status lists: no shared bit, none named before it stands, no revocation lost, all rebuilt from events."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import orjson
import pytest

from services.issuer.handlers.list_upkeep import PLACES_AHEAD_MIN, OpenLists, RefreshLists
from services.issuer.handlers.revoke import Revoke
from services.issuer.handlers.status_lists import PublishStatus
from services.issuer.handlers.tenant_secrets import TenantSecrets
from services.issuer.indexes import CAPACITY
from services.issuer.projections import READ_MODELS
from services.issuer.replay import rebuild
from shared.contracts.achievements import SecondPass
from shared.contracts.credentials import CredentialIssued, CredentialRevoked, CredentialSigned
from shared.contracts.status_lists import StatusListPublished
from shared.database import Database
from shared.errors import NotFound, Unavailable
from shared.eventstore import Recorded
from shared.proofs import bitstring
from shared.proofs.bitstring import Bitstring
from shared.sealing import MasterKey
from shared.service import Service
from tests.integration.issuer.conftest import META, SETTLE_WAIT_S, Desk, opened, take
from tests.unit.issuer.samples import DEFINITION

ISSUE, PUBLISH = "issuer.issue", "issuer.publish_status"
AGAIN = DEFINITION.model_copy(update={"on_second_pass": SecondPass.ISSUE_AGAIN})


def bits(published: StatusListPublished) -> Bitstring:
    """The bits that a published list shows."""
    return bitstring.decode(orjson.loads(published.credential)["credentialSubject"]["encodedList"])


async def passed_many(desk: Desk, number: int, slug: str = "oslo") -> None:
    """One learner passes `number` assessments that all issue."""
    achievement_id = await desk.achievement(slug, AGAIN)
    names = [f"{slug}-{each}" for each in range(number)]
    await desk.passes(await desk.learner(slug), achievement_id, *names, slug=slug)


async def newest(desk: Desk) -> dict[str, StatusListPublished]:
    """The newest version of each list."""
    events = await desk.log(StatusListPublished)
    return {each.event.list_id: each.event for each in events if isinstance(each.event, StatusListPublished)}


def publisher(service: Service) -> PublishStatus:
    """The lane's handler."""
    lane = next(each for each in service.subscriptions if each.name == PUBLISH)
    owner: Any = lane.handle
    handler = owner.__self__
    assert isinstance(handler, PublishStatus)
    return handler


async def test_a_tenants_first_list_stands_all_zero_before_anything_is_issued(desk: Desk) -> None:
    await desk.tenant()
    (event,) = await desk.log(StatusListPublished)
    assert event.event.version == 1
    assert bits(event.event) == Bitstring.zeros(CAPACITY)


async def test_no_two_credentials_share_a_status_entry(desk: Desk) -> None:
    for slug in ("oslo", "bergen"):
        await desk.tenant(slug)
        await passed_many(desk, 200, slug)
    async with opened(await desk.service()) as service:
        batch = await desk.passed()
        await take(service, ISSUE, batch[:150])
        await take(service, ISSUE, batch[150:])
    entries = [each.event.status for each in await desk.log(CredentialIssued)]
    assert len(entries) == 400
    assert max(Counter((entry.list_id, entry.index) for entry in entries).values()) == 1
    assert len({entry.list_id for entry in entries}) == 2


async def taken(service: Service, places: int) -> None:
    """Pretend that the tenants took `places`."""
    async with service.database.connection() as connection:
        await connection.execute("UPDATE tenant SET places_taken = $1", places)


def opener(service: Service, desk: Desk) -> OpenLists:
    """The loop that opens lists, for a test to take its turns."""
    secrets = TenantSecrets(MasterKey.from_file(desk.settings.master_key_file))
    return OpenLists(service.database, publisher(service)._lists, secrets)


async def test_a_list_is_named_only_when_it_is_published_and_issuing_waits_for_it(desk: Desk) -> None:
    await desk.tenant()
    await passed_many(desk, 5)
    async with opened(await desk.service()) as service:
        await taken(service, CAPACITY - 2)
        with pytest.raises(Unavailable):
            await take(service, ISSUE, await desk.passed())
        assert await opener(service, desk).turn() == 1
        await take(service, ISSUE, await desk.passed())
    entries = Counter(each.event.status.list_id for each in await desk.log(CredentialIssued))
    assert sorted(entries.values()) == [2, 3]
    published = {each.event.list_id: each for each in await desk.log(StatusListPublished)}
    assert published.keys() == entries.keys()
    assert all(bits(each.event) == Bitstring.zeros(CAPACITY) for each in published.values())


async def test_the_last_places_of_a_list_are_taken_without_another(desk: Desk) -> None:
    await desk.tenant()
    await passed_many(desk, 2)
    async with opened(await desk.service()) as service:
        await taken(service, CAPACITY - 2)
        await take(service, ISSUE, await desk.passed())
    assert len(await desk.log(StatusListPublished)) == 1


async def test_the_next_list_is_opened_while_places_are_left_and_only_once(desk: Desk) -> None:
    for slug in ("oslo", "bergen"):
        await desk.tenant(slug)
    async with opened(await desk.service()) as service:
        await taken(service, CAPACITY - PLACES_AHEAD_MIN)
        opening = opener(service, desk)
        assert (await opening.pending(), await opening.turn()) == (0, 0)
        await taken(service, CAPACITY - PLACES_AHEAD_MIN + 1)
        assert await opening.pending() == 2
        turns = await asyncio.gather(opening.turn(), opener(service, desk).turn())
        assert sorted(turns) == [0, 2]
        assert await opening.pending() == 0
    lists = await desk.log(StatusListPublished)
    assert Counter(each.issuer_id for each in lists) == {"oslo": 2, "bergen": 2}


async def test_a_running_issuer_opens_lists_in_time(desk: Desk) -> None:
    await desk.tenant()
    await passed_many(desk, 5)
    async with desk.database() as database, database.connection() as connection:
        await connection.execute("UPDATE tenant SET places_taken = $1", CAPACITY - 2)
    async with desk.house() as house:
        await house.settled(SETTLE_WAIT_S)
    assert len(await desk.log(CredentialSigned)) == 5
    assert len(await desk.log(StatusListPublished)) == 2


async def revoked_all(desk: Desk, service: Service) -> list[Recorded]:
    """Issue what was passed and withdraw all of it."""
    await take(service, ISSUE, await desk.passed())
    revoke = Revoke(service.database)
    for each in await desk.log(CredentialIssued):
        await revoke(each.issuer_id, each.event.credential_id, "issued-in-error", META)
    return await desk.log(CredentialRevoked)


async def test_a_batch_of_revocations_publishes_each_touched_list_once_and_only_new_bits(desk: Desk) -> None:
    for slug in ("oslo", "bergen"):
        await desk.tenant(slug)
        await passed_many(desk, 20, slug)
    async with opened(await desk.service()) as service:
        revocations = await revoked_all(desk, service)
        await take(service, PUBLISH, revocations)
        versions = {list_id: event.version for list_id, event in (await newest(desk)).items()}
        await take(service, PUBLISH, revocations)
    lists = await newest(desk)
    assert set(versions.values()) == {2}
    assert {list_id: event.version for list_id, event in lists.items()} == versions, "nothing new, no version"
    expected = {(each.event.status.list_id, each.event.status.index) for each in revocations}
    decoded = {list_id: bits(event) for list_id, event in lists.items()}
    shown = {
        (list_id, index)
        for list_id, listed in decoded.items()
        for index in range(CAPACITY)
        if listed.get(index)
    }
    assert shown == expected


async def test_two_publishers_of_one_list_take_turns_and_lose_no_revocation(desk: Desk) -> None:
    await desk.tenant()
    await passed_many(desk, 10)
    async with opened(await desk.service()) as one, opened(await desk.service()) as other:
        revocations = await revoked_all(desk, one)
        await asyncio.gather(
            *(
                take(service, PUBLISH, [each])
                for service, each in zip([one, other] * 5, revocations, strict=True)
            )
        )
    (event,) = (await newest(desk)).values()
    assert event.version == 11
    assert all(bits(event).get(each.event.status.index) for each in revocations)


async def test_a_revocation_that_names_a_list_nobody_published_is_refused(desk: Desk) -> None:
    await desk.tenant()
    await passed_many(desk, 1)
    async with opened(await desk.service()) as service:
        (revocation,) = await revoked_all(desk, service)
        strange = revocation.event.status.model_copy(
            update={"list_id": "9a9a0000-0000-8000-8000-000000000bad"}
        )
        event = revocation.event.model_copy(update={"status": strange})
        record = Recorded(
            revocation.position,
            revocation.id,
            "oslo",
            revocation.stream,
            revocation.version,
            revocation.at,
            event,
            revocation.meta,
        )
        with pytest.raises(NotFound):
            await take(service, PUBLISH, [record])


async def test_a_list_that_ends_soon_is_published_anew_with_the_same_bits(desk: Desk) -> None:
    await desk.tenant()
    await passed_many(desk, 3)
    async with opened(await desk.service()) as service:
        await take(service, PUBLISH, await revoked_all(desk, service))
        (before,) = (await newest(desk)).values()
        validity = before.valid_until - before.published_at
        lists = publisher(service)._lists
        idle = RefreshLists(service.database, lists, validity - timedelta(hours=1), 1.0)
        assert await idle.pending() == 0
        assert await idle.turn() == 0
        due = RefreshLists(service.database, lists, validity + timedelta(hours=1), 1.0)
        assert await due.pending() == 1
        assert await due.turn() == 1
    (after,) = (await newest(desk)).values()
    assert after.version == before.version + 1
    assert bits(after) == bits(before)
    assert after.valid_until > before.valid_until


async def dump(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the read models, and of what a rebuild must not touch."""
    async with database.connection() as connection:
        return {
            table: [tuple(row) for row in await connection.fetch(f"SELECT * FROM {table} ORDER BY 1, 2, 3")]
            for table in (*READ_MODELS, "api_key", "holding")
        } | {"tenant": [tuple(row) for row in await connection.fetch("SELECT * FROM tenant ORDER BY 1")]}


async def test_a_rebuild_makes_every_read_model_again_byte_for_byte_and_appends_nothing(desk: Desk) -> None:
    for slug in ("oslo", "bergen"):
        await desk.tenant(slug)
        await desk.api_key(slug)
        await passed_many(desk, 8, slug)
    async with desk.house() as house, desk.database() as database:
        await house.settled(SETTLE_WAIT_S)
        revoke = Revoke(database)
        for each in (await desk.log(CredentialSigned))[::2]:
            await revoke(each.issuer_id, each.event.credential_id, "misconduct", META)
        await house.settled(SETTLE_WAIT_S)
    log = await desk.log()
    async with desk.database() as database:
        before = await dump(database)
        assert await rebuild(database) == len(log)
        assert await dump(database) == before
    assert await desk.log() == log


async def test_the_bits_of_a_list_are_the_fold_of_its_revocations(desk: Desk) -> None:
    await desk.tenant()
    await passed_many(desk, 12)
    async with desk.house() as house, desk.database() as database:
        await house.settled(SETTLE_WAIT_S)
        revoke = Revoke(database)
        for each in (await desk.log(CredentialIssued))[::3]:
            await revoke(each.issuer_id, each.event.credential_id, "misconduct", META)
        await house.settled(SETTLE_WAIT_S)
    folded = Bitstring.zeros(CAPACITY).with_bits(
        each.event.status.index for each in await desk.log(CredentialRevoked)
    )
    (published,) = (await newest(desk)).values()
    async with desk.database() as database, database.connection() as connection:
        kept = await connection.fetchval("SELECT bits FROM status_list")
    assert bits(published) == folded == Bitstring(kept)
