"""A learner passes what they hold already: in one batch, in a later one, and after a withdrawal."""

from __future__ import annotations

import asyncio
import contextlib
from uuid import uuid4

import pytest

from services.issuer.handlers.revoke import Revoke
from services.issuer.holding_store import lock_holdings
from services.issuer.replay import rebuild
from shared.contracts.achievements import SecondPass
from shared.contracts.credentials import CredentialIssued, CredentialRevoked, CredentialSigned
from shared.eventstore import Recorded
from tests.integration.issuer.conftest import META, SETTLE_WAIT_S, Desk, opened, take
from tests.unit.issuer.samples import DEFINITION

ISSUE = "issuer.issue"


class Interrupted(Exception):
    """Ends a transaction without leaving anything."""


async def twice(desk: Desk, policy: SecondPass) -> list[Recorded]:
    """One learner passes one achievement twice, in one batch; returns the credentials' events."""
    await desk.tenant()
    definition = DEFINITION.model_copy(update={"on_second_pass": policy})
    achievement_id = await desk.achievement(definition=definition)
    learner = await desk.learner()
    await desk.passes(learner, achievement_id, "a-1")
    await desk.passes(learner, achievement_id, "a-2")
    async with desk.house() as house:
        await house.settled(SETTLE_WAIT_S)
    return await desk.log(CredentialIssued, CredentialSigned, CredentialRevoked)


async def test_a_second_pass_is_ignored_by_default(desk: Desk) -> None:
    events = await twice(desk, SecondPass.IGNORE)
    assert [each.event.TYPE for each in events] == [CredentialIssued.TYPE, CredentialSigned.TYPE]


async def test_a_second_pass_issues_again_where_the_achievement_says_so(desk: Desk) -> None:
    events = await twice(desk, SecondPass.ISSUE_AGAIN)
    assert len([each for each in events if isinstance(each.event, CredentialSigned)]) == 2
    assert not [each for each in events if isinstance(each.event, CredentialRevoked)]


async def test_a_superseded_credential_ends_only_when_the_new_one_is_signed(desk: Desk) -> None:
    events = await twice(desk, SecondPass.SUPERSEDE)
    old, new = (each.event for each in events if isinstance(each.event, CredentialIssued))
    (ended,) = (each for each in events if isinstance(each.event, CredentialRevoked))
    assert new.supersedes == old.credential_id == ended.event.credential_id
    assert ended.event.reason == "superseded"
    signed = next(
        each
        for each in events
        if isinstance(each.event, CredentialSigned) and each.event.credential_id == new.credential_id
    )
    assert signed.position < ended.position
    assert signed.at == ended.at, "in one transaction"


async def test_a_successor_withdrawn_before_it_is_signed_leaves_the_old_one_to_the_next_pass(
    desk: Desk,
) -> None:
    await desk.tenant()
    definition = DEFINITION.model_copy(update={"on_second_pass": SecondPass.SUPERSEDE})
    achievement_id = await desk.achievement(definition=definition)
    learner = await desk.learner()
    await desk.passes(learner, achievement_id, "a-1")
    async with desk.house() as house:
        await house.settled(SETTLE_WAIT_S)
    await desk.passes(learner, achievement_id, "a-2")
    async with opened(await desk.service()) as service:
        await take(service, ISSUE, await desk.passed())
        _, successor = await desk.log(CredentialIssued)
        await Revoke(service.database)("oslo", successor.event.credential_id, "issued-in-error", META)
        await rebuild(service.database)
    async with desk.house() as house:
        await house.settled(SETTLE_WAIT_S)
        (old,) = (each.event for each in await desk.log(CredentialSigned))
        assert successor.event.supersedes == old.credential_id
        (withdrawn,) = (each.event for each in await desk.log(CredentialRevoked))
        assert withdrawn.credential_id == successor.event.credential_id, "the old one stays good"
        await desk.passes(learner, achievement_id, "a-3")
        await house.settled(SETTLE_WAIT_S)
    *_, third = (each.event for each in await desk.log(CredentialIssued))
    assert third.supersedes == old.credential_id
    *_, ended = (each.event for each in await desk.log(CredentialRevoked))
    assert (ended.credential_id, ended.reason) == (old.credential_id, "superseded")


async def test_who_passes_first_and_who_passes_again_may_come_in_one_batch(desk: Desk) -> None:
    await desk.tenant()
    definition = DEFINITION.model_copy(update={"on_second_pass": SecondPass.SUPERSEDE})
    achievement_id = await desk.achievement(definition=definition)
    known, new = await desk.learner(), await desk.learner()
    batches = (
        ((known, "known-1"),),
        ((known, "known-2"), (new, "new-1"), (new, "new-2")),
        ((new, "new-3"), (known, "known-3")),
    )
    async with opened(await desk.service()) as service:
        for batch in batches:
            for learner, assessment_id in batch:
                await desk.passes(learner, achievement_id, assessment_id)
            await take(service, ISSUE, (await desk.passed())[-len(batch) :])
    issued = {each.event.assessment_id: each.event for each in await desk.log(CredentialIssued)}
    assessment_of = {event.credential_id: assessment_id for assessment_id, event in issued.items()}
    assert {name: assessment_of.get(event.supersedes) for name, event in issued.items()} == {
        "known-1": None,
        "known-2": "known-1",
        "new-1": None,
        "new-2": "new-1",
        "new-3": "new-2",
        "known-3": "known-2",
    }


@pytest.mark.parametrize("first_ends", ["commits", "fails"])
async def test_who_opens_a_holding_second_waits_and_finds_what_the_first_left(
    desk: Desk, first_ends: str
) -> None:
    key = ("oslo", str(uuid4()), str(uuid4()))
    one, other = str(uuid4()), str(uuid4())

    async def second() -> dict[tuple[str, str, str], str | None]:
        async with database.session() as session:
            return await lock_holdings(session.connection, {key: other})

    async with desk.database() as database:
        with contextlib.suppress(Interrupted):
            async with database.session() as session:
                assert await lock_holdings(session.connection, {key: one}) == {key: None}
                waiting = asyncio.create_task(second())
                done, _ = await asyncio.wait([waiting], timeout=0.5)
                assert not done
                if first_ends == "fails":
                    raise Interrupted
        assert await waiting == {key: one if first_ends == "commits" else None}
        async with database.session() as session:
            left = one if first_ends == "commits" else other
            assert await lock_holdings(session.connection, {key: str(uuid4())}) == {key: left}
