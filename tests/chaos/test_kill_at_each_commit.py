"""kill -9 beside every commit of the issuance cycle: nothing is lost, nothing happens twice.

Judged by the submitter's own journal: every assessment whose pass was acknowledged has exactly one
credential.issued, one credential.signed and one notification request a channel, and every receiver got at
least one delivery, all with one id and one body.
"""

from __future__ import annotations

import asyncio
import contextlib
import email
from collections import Counter, defaultdict
from typing import Any

import asyncpg
import httpx2
import pytest

from services.demo.provider import Provider
from services.demo.sample import issuer_settings, sample_achievement, sample_assessment, sample_issuer
from services.receivers import Mailbox, PartnerEndpoint
from services.world import read_environment
from shared.clock import ordered_uuid
from shared.errors import MicrocredError
from tests.chaos.conftest import KillableWorld
from tests.chaos.journal import Journal

ASSESSMENTS = 24
SETTLE_WAIT_S = 90
POLL_EVERY_S = 0.05
LANES = (
    "assessor.submit",
    "issuer.issue",
    "issuer.sign",
    "issuer.publish_status",
    "notifier.announce",
    "notifier.courier",
)
COUNTS = """
SELECT convert_from(data, 'UTF8')::jsonb ->> 'assessment_id' AS assessment_id,
       convert_from(data, 'UTF8')::jsonb ->> 'credential_id' AS credential_id, type
FROM issuer.event WHERE type LIKE 'credential.%'
"""
SENT = "SELECT count(*) FROM notifier.event WHERE type = 'notification.sent.v1'"
REQUESTS = """
SELECT convert_from(data, 'UTF8')::jsonb ->> 'credential_id' AS credential_id,
       convert_from(data, 'UTF8')::jsonb ->> 'channel' AS channel,
       convert_from(data, 'UTF8')::jsonb ->> 'about' AS about
FROM notifier.event WHERE type = 'notification.requested.v1'
"""


def assessments(achievement_id: str) -> list[dict[str, Any]]:
    """Return made-up assessments of as many learners; every sixth one fails."""
    made = []
    for number in range(ASSESSMENTS):
        assessment = sample_assessment(achievement_id)
        assessment["assessment_id"] = f"crash-{number:03d}"
        assessment["learner"] = {"name": f"Learner {number}", "email": f"learner{number}@example.org"}
        if number % 6 == 5:
            assessment["results"] = dict.fromkeys(assessment["results"], "missing")
        made.append(assessment)
    return made


async def submit_all(provider: Provider, journal: Journal, todo: list[dict[str, Any]]) -> None:
    """Send all at once, noting before and after; a broken connection leaves an assessment unanswered."""

    async def one(assessment: dict[str, Any]) -> None:
        journal.note_sent(assessment["assessment_id"])
        try:
            answer = await provider.submit(assessment)
        except (httpx2.HTTPError, MicrocredError):
            return
        journal.note_acknowledged(assessment["assessment_id"], answer["outcome"])

    await asyncio.gather(*(one(assessment) for assessment in todo))


async def revoke_some(provider: Provider, journal: Journal) -> list[str]:
    """Revoke the credentials of three passed assessments; returns their ids."""
    revoked = []
    for assessment_id in sorted(journal.passed)[:3]:
        facts = await provider.credential_of(assessment_id)
        await provider.revoke(facts["credential_id"], "issued-in-error")
        revoked.append(facts["credential_id"])
    return revoked


async def settled(world: KillableWorld, told: int) -> asyncpg.Connection[Any]:
    """Wait until `told` facts were sent on both channels; returns a connection that reads the logs."""
    connection = await asyncpg.connect(read_environment(world.folder)["BUS_DATABASE_URL"])
    async with asyncio.timeout(SETTLE_WAIT_S):
        while await connection.fetchval(SENT) < 2 * told:  # noqa: ASYNC110 - another process works
            await asyncio.sleep(POLL_EVERY_S)
    return connection


async def check_exactly_once(
    connection: asyncpg.Connection[Any],
    journal: Journal,
    revoked: list[str],
    mailbox: Mailbox,
    partner: PartnerEndpoint,
) -> None:
    """Compare the log and the receivers with the journal."""
    rows = await connection.fetch(COUNTS)
    issued = Counter(row["assessment_id"] for row in rows if row["type"] == "credential.issued.v1")
    assert issued == Counter(journal.passed)
    credentials = {row["credential_id"] for row in rows if row["type"] == "credential.issued.v1"}
    signed = Counter(row["credential_id"] for row in rows if row["type"] == "credential.signed.v1")
    assert signed == Counter(credentials)
    withdrawn = Counter(row["credential_id"] for row in rows if row["type"] == "credential.revoked.v1")
    assert withdrawn == Counter(revoked)
    requests = Counter(tuple(row) for row in await connection.fetch(REQUESTS))
    wanted = [(each, "credential.signed") for each in credentials]
    wanted += [(each, "credential.revoked") for each in revoked]
    channels = ("mail", "webhook")
    assert requests == Counter((each, channel, about) for each, about in wanted for channel in channels)
    bodies = defaultdict(set)
    for delivery in partner.deliveries:
        bodies[delivery.headers["webhook-id"]].add(delivery.body)
    assert len(bodies) == len(wanted)
    assert all(len(variants) == 1 for variants in bodies.values())
    letters = defaultdict(set)
    for message in mailbox.messages:
        letters[email.message_from_bytes(message.content)["Message-ID"]].add(message.content)
    assert len(letters) == len(wanted)
    assert all(len(variants) == 1 for variants in letters.values())


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
        assert len(journal.passed) == ASSESSMENTS - ASSESSMENTS // 6
        revoked = await revoke_some(provider, journal)
    connection = await settled(killable, len(journal.passed) + len(revoked))
    try:
        await check_exactly_once(connection, journal, revoked, mailbox, partner)
    finally:
        await connection.close()
