"""A tenant's signing keys over time: published before they sign, kept afterwards, retired with an end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import orjson
import pytest

from services.issuer.handlers.list_upkeep import RefreshLists
from services.issuer.handlers.rotation import (
    list_signing_keys,
    retire_signing_key,
    rotate_signing_key,
)
from services.issuer.handlers.tenants import OPERATOR
from services.issuer.key_rules import PublishedKey
from services.issuer.projections import READ_MODELS
from services.issuer.replay import rebuild
from shared import clock
from shared.contracts.achievements import SecondPass
from shared.contracts.credentials import CredentialIssued, CredentialSigned
from shared.contracts.issuers import IssuerKeyPublished, IssuerKeyRetired, KeyRetirement
from shared.contracts.status_lists import StatusListPublished
from shared.errors import Conflict, Invalid, NotFound, Rejected
from shared.eventstore import Recorded
from tests.integration.issuer.conftest import SETTLE_WAIT_S, Desk, client, opened, take
from tests.integration.issuer.test_issuer_status_lists import publisher
from tests.unit.issuer.samples import DEFINITION

ISSUE, SIGN = "issuer.issue", "issuer.sign"
DAY = timedelta(days=1)
AGAIN = DEFINITION.model_copy(update={"on_second_pass": SecondPass.ISSUE_AGAIN})


async def rotated(desk: Desk, slug: str = "oslo", *, at_once: bool = False) -> PublishedKey:
    """Rotate a tenant's key."""
    async with desk.database() as database:
        return await rotate_signing_key(database, desk.settings, slug, at_once=at_once)


async def retired(
    desk: Desk, key: PublishedKey, reason: KeyRetirement, slug: str = "oslo", **more: Any
) -> PublishedKey:
    """Retire a tenant's key."""
    async with desk.database() as database:
        return await retire_signing_key(database, slug, key.public_key_multibase, reason, **more)


async def keys(desk: Desk, slug: str = "oslo") -> tuple[PublishedKey, ...]:
    """Every key of a tenant."""
    async with desk.database() as database:
        return await list_signing_keys(database, slug)


async def a_day_later(desk: Desk) -> None:
    """Let a day pass for the keys that wait: what the issuer reads of them moves back by one."""
    async with desk.database() as database, database.session() as session:
        await session.connection.execute(
            "UPDATE issuer_key SET valid_from = valid_from - interval '1 day' WHERE valid_from > now()"
        )


async def pass_one(desk: Desk, achievement_id: str, name: str) -> Recorded:
    """A learner passes; returns what the assessor's log then says."""
    await desk.passes(await desk.learner(), achievement_id, name)
    return (await desk.passed())[-1]


async def did_document(desk: Desk, slug: str = "oslo") -> Any:
    """An issuer's DID document, as the world reads it."""
    async with desk.house() as house, client(house) as http:
        return (await http.get(f"/issuers/{slug}/did.json")).json()


def keys_of(recorded: Sequence[Recorded]) -> list[str]:
    """The key that each event names."""
    return [
        each.event.key_id for each in recorded if isinstance(each.event, CredentialIssued | CredentialSigned)
    ]


async def test_a_new_key_is_published_at_once_and_signs_a_day_later(desk: Desk) -> None:
    await desk.tenant()
    (old,) = await keys(desk)
    new = await rotated(desk)
    assert new.valid_from - new.published_at == DAY
    assert (await did_document(desk))["assertionMethod"] == [old.key_id, new.key_id]
    achievement_id = await desk.achievement(definition=AGAIN)
    async with opened(await desk.service()) as service:
        await take(service, ISSUE, [await pass_one(desk, achievement_id, "before")])
        await a_day_later(desk)
        await take(service, ISSUE, [await pass_one(desk, achievement_id, "after")])
        await take(service, SIGN, await desk.log(CredentialIssued))
    assert keys_of(await desk.log(CredentialIssued)) == [old.key_id, new.key_id]
    assert keys_of(await desk.log(CredentialSigned)) == [old.key_id, new.key_id]
    assert (await did_document(desk))["assertionMethod"] == [old.key_id, new.key_id]


async def test_signing_again_across_a_rotation_makes_the_same_bytes(desk: Desk) -> None:
    await desk.tenant()
    (old,) = await keys(desk)
    achievement_id = await desk.achievement()
    async with opened(await desk.service()) as service:
        await take(service, ISSUE, [await pass_one(desk, achievement_id, "a-1")])
        intents = await desk.log(CredentialIssued)
        signing = next(each for each in service.subscriptions if each.name == SIGN)
        assert signing.prepare is not None
        first = await signing.prepare(intents)
    await rotated(desk, at_once=True)
    await retired(desk, old, "superseded")
    async with opened(await desk.service()) as another:
        signing = next(each for each in another.subscriptions if each.name == SIGN)
        assert signing.prepare is not None
        second = await signing.prepare(intents)
    assert [each.document_sha256 for each in first.values()] == [
        each.document_sha256 for each in second.values()
    ]


async def test_a_superseded_key_stays_listed_and_a_compromised_one_is_told_as_revoked(desk: Desk) -> None:
    await desk.tenant()
    (first,) = await keys(desk)
    second = await rotated(desk, at_once=True)
    third = await rotated(desk, at_once=True)
    await retired(desk, first, "superseded")
    lost = clock.now() - timedelta(hours=3)
    await retired(desk, second, "compromised", since=lost)
    document = await did_document(desk)
    assert document["assertionMethod"] == [first.key_id, third.key_id]
    told = {method["id"]: method.get("revoked") for method in document["verificationMethod"]}
    moment = lost.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert told == {first.key_id: None, third.key_id: None, second.key_id: moment}
    events = [each.event for each in await desk.log(IssuerKeyRetired)]
    assert [(event.key_id, event.reason) for event in events if isinstance(event, IssuerKeyRetired)] == [
        (first.key_id, "superseded"),
        (second.key_id, "compromised"),
    ]
    assert {each.meta.actor for each in await desk.log(IssuerKeyRetired, IssuerKeyPublished)} == {OPERATOR}


async def test_every_list_under_a_compromised_key_is_published_anew_under_another(desk: Desk) -> None:
    await desk.tenant()
    (old,) = await keys(desk)
    new = await rotated(desk, at_once=True)

    async def signed_with() -> list[str]:
        events = [each.event for each in await desk.log(StatusListPublished)]
        documents = [
            orjson.loads(each.credential) for each in events if isinstance(each, StatusListPublished)
        ]
        return [proof["verificationMethod"] for document in documents for proof in document["proof"]]

    async with opened(await desk.service()) as service:
        refreshing = RefreshLists(service.database, publisher(service)._lists, timedelta(hours=12), 60.0)
        await retired(desk, old, "superseded")
        assert await refreshing.turn() == 0, "what it signed stays good"
        await retired(desk, old, "compromised", since=clock.now() - DAY)
        assert await refreshing.pending() == 1
        assert await refreshing.turn() == 1
        assert await refreshing.turn() == 0
    assert await signed_with() == [old.key_id, new.key_id]


async def test_an_intent_that_nobody_would_believe_is_buried_unsigned(desk: Desk) -> None:
    await desk.tenant()
    (old,) = await keys(desk)
    achievement_id = await desk.achievement(definition=AGAIN)
    async with opened(await desk.service()) as service:
        await take(service, ISSUE, [await pass_one(desk, achievement_id, "early")])
    lost = clock.now()
    async with opened(await desk.service()) as service:
        await take(service, ISSUE, [await pass_one(desk, achievement_id, "late")])
    await rotated(desk, at_once=True)
    await retired(desk, old, "compromised", since=lost)
    early, late = await desk.log(CredentialIssued)
    async with opened(await desk.service()) as service:
        await take(service, SIGN, [early])
        with pytest.raises(Invalid, match="signing-key-compromised"):
            await take(service, SIGN, [late])
    assert [each.stream for each in await desk.log(CredentialSigned)] == [early.stream]


async def test_a_key_that_is_retired_in_the_moment_of_issuing_begins_nothing_afterwards(desk: Desk) -> None:
    """The lane has looked at the tenant already when the operator takes the key away."""
    await desk.tenant()
    (old,) = await keys(desk)
    new = await rotated(desk, at_once=True)
    achievement_id = await desk.achievement()
    batch = [await pass_one(desk, achievement_id, "a-1")]
    async with opened(await desk.service()) as service:
        lane = next(each for each in service.subscriptions if each.name == ISSUE)
        assert lane.prepare is not None
        prepared = await lane.prepare(batch)
        third = await rotated(desk, at_once=True)
        await retired(desk, new, "compromised")
        await retired(desk, old, "superseded")
        async with service.database.session() as session:
            await lane.handle(batch, session, prepared)
    assert keys_of(await desk.log(CredentialIssued)) == [third.key_id]


async def test_two_operators_at_once_leave_one_key_that_waits_and_one_that_signs(desk: Desk) -> None:
    await desk.tenant()
    answers = await asyncio.gather(rotated(desk), rotated(desk), return_exceptions=True)
    assert sorted(type(answer) for answer in answers if isinstance(answer, Conflict)) == [Conflict]
    assert len(await keys(desk)) == 2
    await a_day_later(desk)
    old, new = await keys(desk)
    answers = await asyncio.gather(
        retired(desk, old, "superseded"), retired(desk, new, "superseded"), return_exceptions=True
    )
    refusals = [answer for answer in answers if isinstance(answer, Rejected)]
    assert [refusal.code for refusal in refusals] == ["signing-key-needed"]
    assert len([key for key in await keys(desk) if key.retired_as is None]) == 1


async def test_a_did_key_has_one_key_for_ever(desk: Desk) -> None:
    desk.settings = desk.settings.model_copy(
        update={"environment": "development", "public_url": "http://127.0.0.1:8080"}
    )
    await desk.tenant()
    with pytest.raises(Conflict, match="did:key: its one key is its name"):
        await rotated(desk, at_once=True)
    assert len(await keys(desk)) == 1


async def test_a_tenant_neither_sees_nor_ends_the_keys_of_another(desk: Desk) -> None:
    await desk.tenant()
    await desk.tenant("bergen")
    (oslos,), (bergens,) = await keys(desk), await keys(desk, "bergen")
    await rotated(desk, at_once=True)
    assert await keys(desk, "bergen") == (bergens,)
    assert (await did_document(desk, "bergen"))["assertionMethod"] == [bergens.key_id]
    with pytest.raises(NotFound, match="signing-key-unknown"):
        await retired(desk, oslos, "superseded", "bergen")
    assert not await desk.log(IssuerKeyRetired)
    for command in (rotated(desk, "nobody"), keys(desk, "nobody")):
        with pytest.raises(NotFound, match="issuer-unknown"):
            await command


async def test_a_replay_builds_every_key_and_its_end_again(desk: Desk) -> None:
    await desk.tenant()
    (first,) = await keys(desk)
    second = await rotated(desk, at_once=True)
    await retired(desk, first, "superseded")
    await retired(desk, first, "compromised", since=clock.now() - DAY)
    await rotated(desk)
    before = await keys(desk)
    async with desk.database() as database:
        assert "issuer_key" in READ_MODELS
        await rebuild(database)
    assert await keys(desk) == before
    assert [key.retired_as for key in before] == ["compromised", None, None]
    assert before[1] == second


async def test_a_key_of_before_there_was_an_overlap_is_read_as_published_when_it_signed(desk: Desk) -> None:
    await desk.tenant()
    (first,) = await keys(desk)
    old = IssuerKeyPublished(
        did=first.key_id.partition("#")[0],
        key_id=f"{first.key_id}x",
        public_key_multibase=f"{first.public_key_multibase}x",
        valid_from=clock.now() - DAY,
    )
    async with desk.house() as house:
        await desk.append("oslo", 0, [old])
        await house.settled(SETTLE_WAIT_S)
    found = (await keys(desk))[0]
    assert (found.key_id, found.published_at) == (old.key_id, old.valid_from)


async def test_two_signers_at_work_across_a_rotation_sign_each_intent_once_with_the_key_it_names(
    desk: Desk,
) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement(definition=AGAIN)
    async with desk.house() as first, desk.house() as second:
        for turn in range(3):
            for number in range(4):
                await desk.passes(await desk.learner(), achievement_id, f"a-{turn}-{number}")
            if turn < 2:
                await rotated(desk, at_once=True)
        await first.settled(SETTLE_WAIT_S)
        await second.settled(SETTLE_WAIT_S)
    named = {each.stream: each.event for each in await desk.log(CredentialIssued)}
    made = await desk.log(CredentialSigned)
    assert len(named) == 12
    assert sorted(each.stream for each in made) == sorted(named)
    assert keys_of(made) == [getattr(named[each.stream], "key_id", None) for each in made]
    assert (await keys(desk))[-1].key_id in keys_of(made)
