"""The verifying half of VCALM over HTTP: 200 with `verified` for any verdict, 400 for what is no request."""

from __future__ import annotations

from typing import Any

import pytest
from httpx2 import AsyncClient

from tests.integration.verifier.strangers import Strangers
from tests.unit.verifier.credentials import ISSUER, Signer, badge

HOLDER = Signer(5)
PLAIN = ISSUER.sign(badge(credentialStatus=None))
OPTIONS = {"domain": "verifier.example", "challenge": "n-1"}


async def ask(client: AsyncClient, thing: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(f"/verifier/{thing}s/verify", json=body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_a_valid_credential_is_verified(client: AsyncClient) -> None:
    assert await ask(client, "credential", verifiableCredential=PLAIN, options={}) == {
        "verified": True,
        "problemDetails": [],
    }
    returned = await ask(
        client,
        "credential",
        verifiableCredential=PLAIN,
        options={"returnCredential": True, "checks": ["proof"]},
    )
    assert returned["credential"] == PLAIN
    token = ISSUER.token(badge(credentialStatus=None))
    assert (await ask(client, "credential", verifiableCredential=token))["verified"]


async def test_an_invalid_credential_is_told_under_the_standards_problem_type(
    client: AsyncClient,
) -> None:
    told = await ask(client, "credential", verifiableCredential=PLAIN | {"name": "Another"})
    assert told["verified"] is False
    assert told["problemDetails"][0]["type"] == "https://w3id.org/security#PROOF_VERIFICATION_ERROR"
    expired = ISSUER.sign(badge(credentialStatus=None, validUntil="2026-05-01T00:00:00Z"))
    ours = (await ask(client, "credential", verifiableCredential=expired))["problemDetails"]
    assert [each["type"] for each in ours] == ["urn:microcred:problem:expired"]


async def test_what_is_unknown_is_not_verified(client: AsyncClient, strangers: Strangers) -> None:
    told = await ask(client, "credential", verifiableCredential=strangers.badge())
    assert told["verified"] is False
    assert told["problemDetails"][0]["title"] == "KEY_NOT_RETRIEVED"


async def test_a_presentation_is_verified_for_its_domain_and_challenge(client: AsyncClient) -> None:
    presentation = HOLDER.present(PLAIN, **OPTIONS)
    told = await ask(client, "presentation", verifiablePresentation=presentation, options=OPTIONS)
    assert told == {
        "verified": True,
        "problemDetails": [],
        "results": {"credentials": [{"verified": True, "problemDetails": []}]},
    }
    other = await ask(
        client,
        "presentation",
        verifiablePresentation=presentation,
        options=OPTIONS | {"challenge": "n-2", "returnPresentation": True},
    )
    assert (other["verified"], other["verifiablePresentation"]) == (False, presentation)
    assert other["problemDetails"][0]["type"] == "https://w3id.org/security#INVALID_CHALLENGE_ERROR"


async def test_a_credential_is_no_presentation_and_the_other_way_round(client: AsyncClient) -> None:
    assert not (await ask(client, "presentation", verifiablePresentation=PLAIN))["verified"]
    assert not (await ask(client, "credential", verifiableCredential=HOLDER.present(PLAIN)))["verified"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"verifiablePresentation": 1}',
        b'{"verifiablePresentation": {}, "options": []}',
        b'{"verifiablePresentation": {}, "options": {"domain": 1}}',
        b'{"verifiablePresentation": {}, "verifiablePresentation": {}}',
    ],
)
async def test_what_is_no_request_is_refused(client: AsyncClient, body: bytes) -> None:
    answer = await client.post("/verifier/presentations/verify", content=body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


async def test_both_ways_to_verify_share_one_limit(client: AsyncClient) -> None:
    statuses = [
        (await client.post(f"/verifier/{path}", content=b"{}")).status_code
        for path in ("verify", "credentials/verify", "presentations/verify") * 3
    ]
    assert statuses[-1] == 429
    assert 429 not in statuses[:8]
