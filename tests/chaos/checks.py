"""What the crash tests do from outside, and how they judge: the submitter's journal against all others.

Every assessment whose pass was acknowledged has exactly one credential.issued, one credential.signed and one
notification request a channel, and every receiver was told of each fact under exactly one id, however often,
and each time in the same bytes.
The verifier, asked as anybody would, tells revoked credentials from others.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterable
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import asyncpg
import httpx2

from services.demo.provider import Provider
from services.demo.sample import sample_assessment
from services.receivers import Mailbox, PartnerEndpoint, ReceivedMail, ReceivedWebhook
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
SUBJECTS = {"Your micro-credential": "credential.signed", "Revoked": "credential.revoked"}
"""What a letter tells, by what its subject begins with: the achievement's name comes after the colon."""
CREDENTIAL = re.compile(r"/credentials/(\S+)")

Fact = tuple[str, str]
"""A credential's id and what happened to it, such as credential.signed."""


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
    assert told_by_webhook(partner.deliveries) == Counter(wanted)
    assert told_by_letter(mailbox.messages) == Counter(wanted)


def told_by_webhook(deliveries: Iterable[ReceivedWebhook]) -> Counter[Fact]:
    """Count under how many ids a partner was told of each fact."""
    bodies = map(json.loads, _distinct((each.id, each.body) for each in deliveries))
    return Counter((body["data"]["credential_id"], body["type"]) for body in bodies)


def told_by_letter(messages: Iterable[ReceivedMail]) -> Counter[Fact]:
    """Count under how many ids learners were written to about each fact."""
    copies = ((message_from_bytes(each.content)["Message-ID"], each.content) for each in messages)
    return Counter(map(_read_letter, _distinct(copies)))


def _distinct(copies: Iterable[tuple[str, bytes]]) -> Iterable[bytes]:
    """Return the content of each id. Whoever is told again is told the same."""
    contents: dict[str, bytes] = {}
    for identifier, content in copies:
        assert contents.setdefault(identifier, content) == content, f"{identifier} came with other content"
    return contents.values()


def _read_letter(content: bytes) -> Fact:
    """Read a letter as its learner does: what its subject says, and where its text leads."""
    letter = message_from_bytes(content, policy=policy.default)
    text = letter.get_body(("plain",))
    assert text is not None
    [credential_id] = CREDENTIAL.findall(text.get_content())
    return credential_id, SUBJECTS[letter["Subject"].partition(":")[0]]
