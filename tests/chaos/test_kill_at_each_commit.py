"""kill -9 beside every commit of the issuance cycle: nothing is lost, nothing happens twice.

Judged by the submitter's own journal (tests/chaos/checks.py).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

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
    check_verdicts,
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
    "issuer.revoke",
    "issuer.publish_status",
    "notifier.announce",
    "notifier.courier",
)


@dataclass(frozen=True)
class Blow:
    """Where the process dies: beside the `number`th commit of a lane, `before` or `after` it.

    `quick` worlds sign with eddsa-jcs-2022; the others with the default suite.
    """

    lane: str
    side: str
    number: int = 1
    quick: bool = True

    def __str__(self) -> str:
        return f"{self.side} {self.lane} {self.number}{'' if self.quick else ' with the default suite'}"


BLOWS = (
    *(Blow(lane, side) for lane in LANES for side in ("before", "after")),
    # In the middle of the work: what came earlier is committed and its cursor stored.
    Blow("issuer.issue", "before", number=2),
    Blow("issuer.sign", "after", number=2),
    Blow("issuer.sign", "before", quick=False),
    # The verifier's first commit is the issuer's empty list; the second one tells of a revocation.
    Blow("verifier.keep_lists", "before", number=2),
    Blow("verifier.keep_lists", "after", number=2),
)


async def submit_in_turns(
    provider: Provider, journal: Journal, todo: list[dict[str, Any]], turns: int
) -> None:
    """Submit in as many parts as `turns`, each after something of the last one was signed.

    So every lane has a transaction for each part, however it draws them together.
    """
    for turn in range(turns):
        if journal.passed:
            await provider.credential_of(max(journal.passed))
        await submit_all(provider, journal, todo[turn::turns])


@pytest.mark.parametrize("blow", BLOWS, ids=str)
async def test_killed_beside_a_commit_loses_and_doubles_nothing(
    blow: Blow,
    killable: KillableWorld,
    journal: Journal,
    mailbox: Mailbox,
    partner: PartnerEndpoint,
) -> None:
    definition, _ = sample_achievement()
    achievement_id = str(ordered_uuid())
    todo = {each["assessment_id"]: each for each in assessments(achievement_id)}
    if not blow.quick:
        del killable.overrides["CRYPTOSUITES"]
    await killable.start(doom={"lane": blow.lane, "side": blow.side, "number": blow.number})
    issuer = await sample_issuer(issuer_settings(killable.folder), killable.folder)
    async with Provider(killable.address, issuer.token) as provider:
        await provider.until_known()
        await provider.publish_achievement(definition, achievement_id)
        partner.trust(await provider.subscribe(partner.url))
        with contextlib.suppress(httpx2.HTTPError, MicrocredError):
            await submit_in_turns(provider, journal, list(todo.values()), blow.number)
            await revoke_some(provider, journal)
    assert await killable.died(), "the world was not killed at its named point"
    await killable.start()
    async with Provider(killable.address, issuer.token) as provider:
        missing = [each for name, each in todo.items() if name not in journal.acknowledged]
        await submit_all(provider, journal, missing)
        assert journal.acknowledged.keys() == todo.keys()
        assert len(journal.passed) == PASSING
        revoked = await revoke_some(provider, journal)
        await check_verdicts(provider, journal, revoked)
    connection = await settled(killable.folder, len(journal.passed) + len(revoked))
    try:
        await check_exactly_once(connection, journal, revoked, mailbox, partner)
    finally:
        await connection.close()
