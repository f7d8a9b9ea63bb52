"""What the issuer itself makes, from an assessment to the bytes at its address, verifies at others.

tests/interop/test_other_verifiers.py signs shapes with the keys of tests; here nothing but the product makes
the document: its renderer, its lanes, its key, its public address.
"""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.credentials import CredentialIssued
from tests.integration.issuer.conftest import SETTLE_WAIT_S, Desk, client
from tests.interop.conftest import Peer
from tests.interop.test_other_verifiers import JCS, RDFC, VERIFIED, tampered


async def issued_by(desk: Desk, *cryptosuites: str) -> dict[str, Any]:
    """Return a credential as its address answers, of an issuer whose DID is read without a network."""
    address = {"environment": "development", "public_url": "http://127.0.0.1:8080"}
    desk.settings = desk.settings.model_copy(update={**address, "cryptosuites": cryptosuites})
    assert (await desk.tenant()).startswith("did:key:")
    await desk.passes(await desk.learner(), await desk.achievement(), "a-1")
    async with desk.house() as house:
        await house.settled(SETTLE_WAIT_S)
        (issued,) = await desk.log(CredentialIssued)
        async with client(house) as http:
            answer = await http.get(f"/credentials/{issued.event.aggregate_id}")
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


@pytest.mark.parametrize("cryptosuites", [(RDFC,), (JCS,), (RDFC, JCS)], ids=" and ".join)
async def test_what_is_issued_verifies_at_digital_bazaars_and_altered_it_does_not(
    peer: Peer, desk: Desk, cryptosuites: tuple[str, ...]
) -> None:
    document = await issued_by(desk, *cryptosuites)
    assert [proof["cryptosuite"] for proof in document["proof"]] == list(cryptosuites)
    assert peer.ask("verify", credential=document) == VERIFIED
    assert peer.ask("verify", credential=tampered(document)) != VERIFIED


async def test_what_is_issued_verifies_at_the_dccs_and_altered_it_does_not(peer: Peer, desk: Desk) -> None:
    document = await issued_by(desk, RDFC)
    assert peer.ask("verifierCore", credential=document) == VERIFIED
    assert peer.ask("verifierCore", credential=tampered(document)) != VERIFIED
