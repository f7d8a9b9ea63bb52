"""What the crash tests do from outside, and how they judge: the submitter's journal against all others.

Every assessment whose pass was acknowledged has exactly one credential.issued, one credential.signed and one
notification request a channel, and every receiver got at least one delivery, all with one id and one body.
The verifier, asked as anybody would, tells revoked credentials from others.
"""

from __future__ import annotations

import asyncio
import email
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import asyncpg
import httpx2

from services.demo.provider import Provider
from services.demo.sample import sample_assessment
from services.receivers import Mailbox, PartnerEndpoint
from services.world_folder import read_environment
from shared.errors import MicrocredError
from tests.chaos.journal import Journal

ASSESSMENTS = 24
FAILING_EVERY = 6
PASSING = ASSESSMENTS - ASSESSMENTS // FAILING_EVERY
SETTLE_WAIT_S = 90
POLL_EVERY_S = 0.05
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


def assessments(
    achievement_id: str, number_of: int = ASSESSMENTS, name: str = "crash"
) -> list[dict[str, Any]]:
    """Return made-up assessments of as many learners; every FAILING_EVERYth one fails."""
    made = []
    for number in range(number_of):
        assessment = sample_assessment(achievement_id)
        assessment["assessment_id"] = f"{name}-{number:03d}"
        assessment["learner"] = {"name": f"Learner {number}", "email": f"{name}.{number}@example.org"}
        if number % FAILING_EVERY == FAILING_EVERY - 1:
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


async def check_verdicts(provider: Provider, journal: Journal, revoked: list[str]) -> None:
    """Wait until the verifier refuses the revoked credentials; one that is not revoked has to be valid."""
    good = (await provider.credential_of(max(journal.passed)))["credential_id"]
    assert good not in revoked
    async with asyncio.timeout(SETTLE_WAIT_S):
        for credential_id in revoked:
            while await verdict(provider, credential_id) != "invalid":  # noqa: ASYNC110 - another process works
                await asyncio.sleep(POLL_EVERY_S)
    assert await verdict(provider, good) == "valid"


async def verdict(provider: Provider, credential_id: str) -> str:
    """Return what the verifier says of a credential as the issuer hands it out."""
    document = await provider.fetch(f"/credentials/{credential_id}")
    assert document.status_code == 200
    return str((await provider.verify(document.content))["verdict"])


async def settled(folder: Path, told: int) -> asyncpg.Connection[Any]:
    """Wait until the world of `folder` has sent `told` facts on both channels.

    Returns a connection that reads the logs.
    """
    connection = await asyncpg.connect(read_environment(folder)["BUS_DATABASE_URL"])
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
