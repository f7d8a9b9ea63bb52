"""kill -9 beside every commit of the issuance cycle: nothing is lost, nothing happens twice.

Judged by the submitter's own journal (tests/chaos/checks.py).
"""

from __future__ import annotations

import contextlib

import httpx2
import pytest

from services.demo.provider import Provider
from services.demo.sample import issuer_settings, sample_achievement, sample_issuer
from services.receivers import Mailbox, PartnerEndpoint
from shared.clock import ordered_uuid
from shared.errors import MicrocredError
from tests.chaos.checks import (
    PASSING,
    assessments,
    check_exactly_once,
    revoke_some,
    settled,
    submit_all,
)
from tests.chaos.conftest import KillableWorld
from tests.chaos.journal import Journal

LANES = (
    "assessor.submit",
    "issuer.issue",
    "issuer.sign",
    "issuer.publish_status",
    "notifier.announce",
    "notifier.courier",
)


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("lane", LANES)
async def test_killed_beside_a_commit_loses_and_doubles_nothing(
    lane: str,
    side: str,
    killable: KillableWorld,
    journal: Journal,
    mailbox: Mailbox,
    partner: PartnerEndpoint,
) -> None:
    definition, _ = sample_achievement()
    achievement_id = str(ordered_uuid())
    todo = {each["assessment_id"]: each for each in assessments(achievement_id)}
    await killable.start(doom={"lane": lane, "side": side, "number": 1})
    issuer = await sample_issuer(issuer_settings(killable.folder), killable.folder)
    async with Provider(killable.address, issuer.token) as provider:
        await provider.until_known()
        await provider.publish_achievement(definition, achievement_id)
        partner.trust(await provider.subscribe(partner.url))
        await submit_all(provider, journal, list(todo.values()))
        with contextlib.suppress(httpx2.HTTPError, MicrocredError):
            await revoke_some(provider, journal)
    assert await killable.died(), "the world was not killed at its named point"
    await killable.start()
    async with Provider(killable.address, issuer.token) as provider:
        await submit_all(provider, journal, [todo[each] for each in journal.unanswered])
        assert not journal.unanswered
        assert len(journal.passed) == PASSING
        revoked = await revoke_some(provider, journal)
    connection = await settled(killable.folder, len(journal.passed) + len(revoked))
    try:
        await check_exactly_once(connection, journal, revoked, mailbox, partner)
    finally:
        await connection.close()
