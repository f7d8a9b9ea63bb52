"""The main job: assess a cohort, wait for its credentials, then follow one learner to the revocation.

It drives a running World the way a provider, a partner, a learner and an employer would, and counts what
happened from outside: the answers to its own requests, a mailbox, a partner's endpoint and the public
addresses. Only `issued` and `signed` are read from the issuer's log.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.demo.provider import Provider
from services.demo.report import Documents, Report
from services.demo.sample import SLUG
from services.receivers import Mailbox, PartnerEndpoint, ReceivedWebhook
from services.world import World
from shared.contracts.credentials import CredentialIssued, CredentialSigned
from shared.errors import Invalid, Unavailable
from shared.proofs import bitstring

STALLED_WAIT_S = 60.0
POLL_EVERY_S = 0.1
LAG_POLL_EVERY_S = 0.005
REFUSALS_TOLD_MAX = 5
EVENTS_OF_ISSUER = "SELECT type, count(*) AS number FROM event WHERE type = ANY($1) GROUP BY type"

Progress = Callable[[str, int, int], None]
"""(step, done, of all): called often."""


@dataclass(slots=True)
class Story:
    """One learner's credential from signature to revocation, as each side saw it."""

    assessment_id: str = ""
    credential_url: str = ""
    credential: dict[str, Any] = field(default_factory=dict)
    verdict_before: dict[str, Any] = field(default_factory=dict)
    verdict_after: dict[str, Any] = field(default_factory=dict)
    refused_rows: list[dict[str, Any]] = field(default_factory=list)
    webhook_believed: bool = False
    """Whether the partner's own check of the signature holds."""
    altered_webhook_believed: bool = True
    """Whether it would hold with one byte more in the body."""
    issuing_seconds: float = 0.0
    """From the first row sent to the last signature."""
    documents: Documents = field(default_factory=Documents)


class MainJob:
    """Runs the steps in order; `report` and `story` fill up on the way."""

    def __init__(
        self, world: World, provider: Provider, mailbox: Mailbox, partner: PartnerEndpoint, progress: Progress
    ) -> None:
        self.report = Report(bus=world.bus)
        self.story = Story()
        self._world = world
        self._provider = provider
        self._mailbox = mailbox
        self._partner = partner
        self._progress = progress
        self._began = 0.0

    async def assess(self, cohort: Path) -> None:
        """Stream the cohort in and count each row's outcome."""
        rows = sum(1 for _ in cohort.open("rb")) - 1
        done = 0
        self._began = time.monotonic()
        async for result in self._provider.submit_csv(cohort):
            done += 1
            self._progress("assessed", done, rows)
            outcome = result["outcome"]
            if outcome == "rejected":
                self.report.rejected_rows += 1
                self.story.refused_rows.append(result)
            elif outcome == "duplicate":
                self.report.duplicates += 1
            else:
                self.report.submitted += 1
                self.report.passed += outcome == "passed"
                self.report.failed += outcome == "failed"
                if outcome == "passed" and not self.story.assessment_id:
                    self.story.assessment_id = result["assessment_id"]
        if not self.report.submitted:
            raise Invalid("cohort-empty", f"No row of {cohort} is an assessment.", self._refusals())

    def _refusals(self) -> tuple[str, ...]:
        """Return what was said of the first refused rows."""
        return tuple(
            f"line {row['line']}: {'; '.join([row['problem']['title'], *row['problem'].get('reasons', [])])}"
            for row in self.story.refused_rows[:REFUSALS_TOLD_MAX]
        )

    async def wait_for_credentials(self) -> None:
        """Wait until every passed assessment is signed and both receivers have heard of each credential."""
        await self._wait("signed", self._count_signed)
        self.story.issuing_seconds = time.monotonic() - self._began
        await self._wait("announced", self._count_announced)

    async def _count_signed(self) -> int:
        issuer = next(service for service in self._world.house.services if service.name == "issuer")
        types = [CredentialIssued.TYPE, CredentialSigned.TYPE]
        async with issuer.database.connection() as connection:
            rows = await connection.fetch(EVENTS_OF_ISSUER, types)
        counts = {row["type"]: row["number"] for row in rows}
        self.report.issued = counts.get(CredentialIssued.TYPE, 0)
        self.report.signed = counts.get(CredentialSigned.TYPE, 0)
        return self.report.signed

    async def _count_announced(self) -> int:
        told = {delivery.data["credential_id"] for delivery in self._partner.deliveries}
        self.report.announced = min(len(told), len(self._mailbox.messages))
        return self.report.announced

    async def _wait(self, step: str, count: Callable[[], Any]) -> None:
        """Wait until `count()` reaches the passed assessments, or has not moved for STALLED_WAIT_S."""
        seen, moved_at = -1, time.monotonic()
        while (number := await count()) < self.report.passed:
            self._progress(step, number, self.report.passed)
            if number != seen:
                seen, moved_at = number, time.monotonic()
            if time.monotonic() - moved_at > STALLED_WAIT_S:
                waiting = ", ".join(
                    f"{name}: {left}" for name, left in (await self._world.house.pending()).items()
                )
                raise Unavailable(f"{number} of {self.report.passed} {step}, then nothing moved ({waiting}).")
            await asyncio.sleep(POLL_EVERY_S)
        self._progress(step, number, self.report.passed)

    async def follow_one_learner(self) -> None:
        """Fetch, verify, revoke and verify again the first passed learner's credential."""
        story, documents = self.story, self.story.documents
        facts = await self._provider.credential_of(story.assessment_id)
        credential_id = facts["credential_id"]
        story.credential_url = facts["url"]
        documents.credential = (await self._provider.fetch(story.credential_url)).content
        story.credential = json.loads(documents.credential)
        status = story.credential["credentialStatus"]
        issuer = f"{self._world.address}/issuers/{SLUG}"
        documents.did = (await self._provider.fetch(f"{issuer}/did.json")).content
        documents.status_list_before = (await self._provider.fetch(status["statusListCredential"])).content
        told = self._partner.delivery_about(credential_id, "credential.signed")
        documents.webhook = told.as_json()
        story.webhook_believed = told.verified
        story.altered_webhook_believed = self._partner.believes(told.headers, told.body + b" ")
        documents.mail = self._mailbox.message_naming(story.credential_url)
        story.verdict_before = await self._provider.verify(documents.credential)
        self.report.verified_before = story.verdict_before["verdict"]
        began = time.monotonic()
        await self._provider.revoke(credential_id, "issued-in-error")
        documents.status_list_after = await self._until_listed(status)
        self.report.revocation_lag_ms = round((time.monotonic() - began) * 1000)
        story.verdict_after = await self._provider.verify(documents.credential)
        self.report.verified_after = story.verdict_after["verdict"]
        documents.webhook_revoked = (await self._until_told(credential_id)).as_json()

    async def _until_listed(self, status: dict[str, Any]) -> bytes:
        """Fetch the public status list until it shows the revocation; returns its bytes."""
        deadline = time.monotonic() + STALLED_WAIT_S
        while True:
            content = (await self._provider.fetch(status["statusListCredential"])).content
            bits = bitstring.decode(json.loads(content)["credentialSubject"]["encodedList"])
            if bits.get(int(status["statusListIndex"])):
                return content
            if time.monotonic() > deadline:
                raise Unavailable(f"The revocation was not listed within {STALLED_WAIT_S:.0f} s.")
            await asyncio.sleep(LAG_POLL_EVERY_S)

    async def _until_told(self, credential_id: str) -> ReceivedWebhook:
        """Wait until the partner has heard of the revocation."""
        deadline = time.monotonic() + STALLED_WAIT_S
        while True:
            try:
                return self._partner.delivery_about(credential_id, "credential.revoked")
            except LookupError:
                if time.monotonic() > deadline:
                    message = f"The partner was not told of the revocation within {STALLED_WAIT_S:.0f} s."
                    raise Unavailable(message) from None
            await asyncio.sleep(POLL_EVERY_S)
