"""Credentials of issuers who are no tenants of ours: keys and status lists come from their own servers."""

from __future__ import annotations

import asyncio
import json

import pytest
from httpx2 import AsyncClient

from services.verifier.fetching.fetcher import FETCHES_PER_VERIFICATION_MAX
from services.verifier.settings import VerifierSettings
from shared.proofs.bitstring import LENGTH_MIN, Bitstring
from shared.settings import Settings
from tests.integration.loopback_server import Names
from tests.integration.verifier.conftest import check, verify
from tests.integration.verifier.strangers import DID_PATH, LIST_PATH, Strangers
from tests.unit.verifier.credentials import INDEX, OTHER, badge, did_document, entry


async def test_a_strangers_credential_is_judged_by_its_own_keys_and_lists(
    client: AsyncClient, strangers: Strangers
) -> None:
    strangers.settle_in()
    verdict = await verify(client, strangers.badge())
    assert verdict["verdict"] == "valid"
    assert verdict["statuses"] == [{"purpose": "revocation", "status": 0, "valid": True, "message": None}]
    assert check(verdict, "issuer recognised")["code"] == "ISSUER_NOT_RECOGNISED"
    assert verdict["recognitions"] == []
    assert sorted(strangers.requests) == [DID_PATH, LIST_PATH]


async def test_a_strangers_revocation_counts(client: AsyncClient, strangers: Strangers) -> None:
    strangers.settle_in(revoked=[INDEX])
    verdict = await verify(client, strangers.badge())
    assert (verdict["verdict"], check(verdict, "status")["code"]) == ("invalid", "REVOKED")


async def test_a_list_without_a_name_is_the_one_at_its_address(
    client: AsyncClient, strangers: Strangers
) -> None:
    strangers.settle_in()
    for revoked, result in ([], "valid"), ([INDEX], "invalid"):
        path = f"/status/{result}"
        strangers.documents[path] = strangers.listed(path, id=None, revoked=revoked)
        assert (await verify(client, strangers.badge(path)))["verdict"] == result
    strangers.documents["/status/other"] = strangers.listed("/status/1")
    assert (await verify(client, strangers.badge("/status/other")))["verdict"] == "unknown"


async def test_every_entry_is_looked_up_and_one_that_is_set_decides(
    client: AsyncClient, strangers: Strangers
) -> None:
    strangers.settle_in()
    suspended = strangers.listed("/status/2", revoked=[INDEX], subject={"statusPurpose": "suspension"})
    strangers.documents["/status/2"] = suspended
    entries = [strangers.entry(), strangers.entry("/status/2", statusPurpose="suspension")]
    verdict = await verify(client, strangers.badge(credentialStatus=entries))
    assert (verdict["verdict"], check(verdict, "status")["code"]) == ("invalid", "SUSPENDED")
    assert [said["status"] for said in verdict["statuses"]] == [0, 1]


async def test_a_message_is_told_in_the_issuers_words_and_does_not_decide(
    client: AsyncClient, strangers: Strangers
) -> None:
    strangers.settle_in()
    words = [{"status": f"0x{value}", "message": f"State {value}"} for value in range(4)]
    told = strangers.entry("/status/2", statusPurpose="message", statusSize=2, statusMessage=words)
    for bits, value in ([2 * INDEX], 2), ([2 * INDEX + 1], 1):
        path = f"/status/2{value}"
        told = strangers.entry(path, statusPurpose="message", statusSize=2, statusMessage=words)
        strangers.documents[path] = strangers.listed(
            path, encoded=twice_as_long(bits), subject={"statusPurpose": "message"}
        )
        verdict = await verify(client, strangers.badge(credentialStatus=told))
        assert verdict["verdict"] == "valid"
        assert verdict["statuses"] == [
            {"purpose": "message", "status": value, "valid": False, "message": f"State {value}"}
        ]


def twice_as_long(bits: list[int]) -> str:
    return Bitstring.zeros(2 * LENGTH_MIN).with_bits(bits).encode()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(404, "answers 404"), (302, "answers 302"), (500, "answers 500"), (b"0" * (1 << 21), "larger than")],
    ids=["missing", "redirect", "broken", "too large"],
)
@pytest.mark.parametrize("path", [DID_PATH, LIST_PATH], ids=["keys", "list"])
async def test_what_cannot_be_fetched_leaves_the_verdict_open_and_says_why(
    client: AsyncClient, strangers: Strangers, path: str, answer: int | bytes, reason: str
) -> None:
    strangers.settle_in()
    strangers.documents[path] = answer
    verdict = await verify(client, strangers.badge())
    failed = check(verdict, "proof" if path == DID_PATH else "status")
    assert verdict["verdict"] == "unknown"
    assert failed["code"] == ("KEY_NOT_RETRIEVED" if path == DID_PATH else "STATUS_RETRIEVAL_ERROR")
    assert reason in failed["sentence"]
    assert "/moved" not in strangers.requests


async def test_a_name_that_leads_inside_is_not_called(
    client: AsyncClient, strangers: Strangers, names: Names
) -> None:
    strangers.settle_in()
    names.answers = [["10.0.0.1"]]
    verdict = await verify(client, strangers.badge())
    assert (verdict["verdict"], strangers.requests) == ("unknown", [])
    assert "may not be called" in check(verdict, "proof")["sentence"]


async def test_what_was_fetched_is_kept_for_the_next_verifications(
    client: AsyncClient, strangers: Strangers
) -> None:
    strangers.settle_in()
    credential = strangers.badge()
    assert [(await verify(client, credential))["verdict"] for _ in range(3)] == ["valid"] * 3
    assert sorted(strangers.requests) == [DID_PATH, LIST_PATH]


async def test_verifications_at_once_share_one_request(client: AsyncClient, strangers: Strangers) -> None:
    strangers.settle_in()
    strangers.gate.clear()
    credential = strangers.badge(credentialStatus=None)
    asking = [asyncio.create_task(verify(client, credential)) for _ in range(4)]
    async with asyncio.timeout(20):
        while not strangers.requests:  # noqa: ASYNC110 - the server's own list is the only sign
            await asyncio.sleep(0.01)
    asking[0].cancel()
    strangers.gate.set()
    verdicts = await asyncio.gather(*asking[1:])
    assert [verdict["verdict"] for verdict in verdicts] == ["valid"] * 3
    assert strangers.requests == [DID_PATH]


async def test_one_credential_cannot_make_us_ask_without_end(
    client: AsyncClient, strangers: Strangers
) -> None:
    strangers.settle_in()
    paths = [f"/status/{number}" for number in range(8)]
    strangers.documents |= {path: strangers.listed(path) for path in paths}
    verdict = await verify(client, strangers.badge(*paths))
    assert verdict["verdict"] == "unknown"
    assert "more addresses than are looked up" in check(verdict, "status")["sentence"]
    assert len(strangers.requests) == FETCHES_PER_VERIFICATION_MAX


async def test_nobody_but_the_issuer_is_looked_up(client: AsyncClient, strangers: Strangers) -> None:
    strangers.settle_in()
    forged = strangers.signer().sign(strangers.badge(issuer=OTHER.did, proof=None, credentialStatus=None))
    verdict = await verify(client, forged)
    assert (verdict["verdict"], check(verdict, "key belongs to issuer")["code"]) == (
        "invalid",
        "KEY_NOT_OF_ISSUER",
    )
    assert strangers.requests == []


async def test_what_the_issuer_has_not_signed_names_no_list_to_be_looked_up(
    client: AsyncClient, strangers: Strangers
) -> None:
    strangers.settle_in()
    good = strangers.badge()
    impostor = OTHER.sign(badge(strangers.signer(), credentialStatus=good["credentialStatus"]))
    unsigned = {name: value for name, value in good.items() if name != "proof"}
    for credential in unsigned, good | {"name": "Forged"}, impostor:
        assert (await verify(client, credential))["verdict"] == "invalid"
    assert LIST_PATH not in strangers.requests


async def test_a_list_has_nobody_but_the_issuer_of_the_credential_looked_up(
    client: AsyncClient, strangers: Strangers
) -> None:
    strangers.settle_in()
    listed = OTHER.sign(badge(OTHER, credentialStatus=strangers.entry()))
    verdict = await verify(client, listed)
    assert (verdict["verdict"], check(verdict, "status")["code"]) == ("unknown", "STATUS_VERIFICATION_ERROR")
    assert strangers.requests == [LIST_PATH]


async def test_a_document_of_another_issuer_speaks_for_nobody(
    client: AsyncClient, strangers: Strangers
) -> None:
    strangers.documents[DID_PATH] = did_document(strangers.signer(), id="did:web:other.example")
    verdict = await verify(client, strangers.badge(credentialStatus=None))
    assert (verdict["verdict"], check(verdict, "proof")["code"]) == ("unknown", "KEY_NOT_RETRIEVED")


async def test_our_own_addresses_are_never_asked_over_the_network(
    client: AsyncClient, settings: Settings, names: Names
) -> None:
    ours = f"{settings.public_url}/status/nothing"
    listed = OTHER.sign(badge(OTHER, credentialStatus=entry(statusListCredential=ours, id=f"{ours}#1")))
    assert (await verify(client, listed))["verdict"] == "unknown"
    assert names.asked == []


def test_production_never_fetches_from_loopback(settings: VerifierSettings) -> None:
    fields = json.loads(settings.model_dump_json()) | {
        "environment": "production",
        "database_url": "postgresql://x",
        "bus_database_url": "postgresql://x",
    }
    with pytest.raises(ValueError, match="OUTBOUND_ALLOW_LOOPBACK"):
        VerifierSettings.model_validate(fields)
    assert not VerifierSettings.model_validate(
        fields | {"outbound_allow_loopback": False}
    ).outbound_allow_loopback
