"""The issuer's whole job on a real database: issue, sign, show, revoke, publish the list."""

from __future__ import annotations

import hashlib

import orjson

from shared.access import Scope
from shared.contracts.achievements import SecondPass
from shared.contracts.credentials import CredentialIssued, CredentialRevoked, CredentialSigned
from shared.contracts.status_lists import StatusListPublished
from shared.proofs import bitstring, dataintegrity, ed25519, multikey
from shared.proofs.suites import SUITES
from tests.integration.issuer.conftest import SETTLE_WAIT_S, Desk, client
from tests.unit.issuer.samples import DEFINITION, EMAIL, NAME


def verified(document: dict, did_document: dict) -> bool:
    """Whether every proof of a document verifies with a key that the DID document lists."""
    keys = {each["id"]: each["publicKeyMultibase"] for each in did_document["verificationMethod"]}
    proofs = dataintegrity.parse_proofs(document)
    return all(
        ed25519.check_signature(
            multikey.decode_public_key(keys[proof.verification_method]).data,
            SUITES[proof.cryptosuite].hash_data(proof.document, proof.config),
            proof.signature,
        )
        for proof in proofs
    )


async def test_a_passed_assessment_becomes_a_credential_that_verifies_and_can_be_revoked(desk: Desk) -> None:
    did = await desk.tenant()
    achievement_id = await desk.achievement()
    learner = await desk.learner()
    token = await desk.api_key("oslo")
    await desk.passes(learner, achievement_id, "spring-1")
    async with desk.house() as house, client(house, token) as http:
        await house.settled(SETTLE_WAIT_S)

        found = (await http.get("/issuer/credentials", params={"assessment_id": "spring-1"})).json()
        (known,) = found["credentials"]
        assert known["state"] == "signed"

        page = await http.get(f"/credentials/{known['credential_id']}")
        assert page.status_code == 200
        assert page.headers["content-type"] == "application/vc+ld+json"
        (signed,) = await desk.log(CredentialSigned)
        assert hashlib.sha256(page.content).hexdigest() == signed.event.document_sha256
        document = page.json()
        assert document["id"] == known["url"]
        assert document["issuer"]["id"] == did
        did_document = (await http.get("/issuers/oslo/did.json")).json()
        assert verified(document, did_document)
        assert NAME.encode() not in page.content
        assert EMAIL.encode() not in page.content

        before = (await desk.log(StatusListPublished))[-1].event
        index = int(document["credentialStatus"]["statusListIndex"])
        assert not listed(before, index)

        answer = await http.post(
            f"/issuer/credentials/{known['credential_id']}/revoke", json={"reason": "issued-in-error"}
        )
        assert answer.status_code == 200
        assert answer.json()["state"] == "revoked"
        await house.settled(SETTLE_WAIT_S)
        after = (await desk.log(StatusListPublished))[-1].event
        assert listed(after, index)
        assert after.version == before.version + 1
        assert verified(orjson.loads(after.credential), did_document)
        again = await http.get(f"/credentials/{known['credential_id']}")
        assert again.content == page.content


def listed(published: StatusListPublished, index: int) -> bool:
    """Whether a published list shows the bit."""
    return bitstring.decode(orjson.loads(published.credential)["credentialSubject"]["encodedList"]).get(index)


async def test_the_intent_stands_before_the_signature_and_every_fact_names_its_cause(desk: Desk) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement()
    await desk.passes(await desk.learner(), achievement_id, "a-1")
    async with desk.house() as house:
        await house.settled(SETTLE_WAIT_S)
    issued, signed = await desk.log(CredentialIssued, CredentialSigned)
    assert (issued.version, signed.version) == (1, 2)
    assert issued.position < signed.position
    assert signed.meta.causation == issued.id
    assert issued.meta.actor == "consumer:issuer.issue"
    assert signed.meta.actor == "consumer:issuer.sign"
    assert issued.meta.correlation == signed.meta.correlation == "c-1"


async def test_assessments_that_come_again_when_the_inbox_has_forgotten_them_are_not_issued_again(
    desk: Desk,
) -> None:
    await desk.tenant()
    definition = DEFINITION.model_copy(update={"on_second_pass": SecondPass.ISSUE_AGAIN})
    achievement_id = await desk.achievement(definition=definition)
    await desk.passes(await desk.learner(), achievement_id, "spring-1", "spring-2")
    async with desk.house() as house:
        await house.settled(SETTLE_WAIT_S)
    async with desk.database() as database, database.connection() as connection:
        await connection.execute("DELETE FROM inbox")
        await connection.execute("UPDATE cursor SET position = 0 WHERE name = 'issuer.issue<assessor'")
    async with desk.house() as house:
        await house.settled(SETTLE_WAIT_S)
    assert len(await desk.log(CredentialIssued)) == 2
    async with desk.database() as database, database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM inbox") == 2, "they came again"
        assert await connection.fetchval("SELECT count(*) FROM dead_letter") == 0


async def test_a_second_revocation_has_the_same_answer_and_no_second_event(desk: Desk) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement()
    await desk.passes(await desk.learner(), achievement_id, "a-1")
    token = await desk.api_key("oslo")
    async with desk.house() as house, client(house, token) as http:
        await house.settled(SETTLE_WAIT_S)
        (issued,) = await desk.log(CredentialIssued)
        address = f"/issuer/credentials/{issued.event.credential_id}/revoke"
        first = await http.post(address, json={"reason": "misconduct"})
        second = await http.post(address, json={"reason": "learner-request"})
    assert first.json() == second.json()
    assert second.json()["revocation_reason"] == "misconduct"
    assert len(await desk.log(CredentialRevoked)) == 1


async def test_revoking_needs_a_scope_that_reading_does_not_give(desk: Desk) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement()
    await desk.passes(await desk.learner(), achievement_id, "a-1")
    token = await desk.api_key("oslo", Scope.CREDENTIALS_READ, Scope.ASSESSMENTS_WRITE)
    async with desk.house() as house, client(house, token) as http:
        await house.settled(SETTLE_WAIT_S)
        (issued,) = await desk.log(CredentialIssued)
        address = f"/issuer/credentials/{issued.event.credential_id}"
        assert (await http.get(address)).status_code == 200
        assert (await http.post(f"{address}/revoke", json={"reason": "misconduct"})).status_code == 403
    assert not await desk.log(CredentialRevoked)
