"""The whole cycle, seen from outside: assessed, issued, signed, announced, verified, revoked, forgotten."""

from __future__ import annotations

import json

from services.demo.sample import SLUG
from tests.integration.world.conftest import Stage


async def test_a_passed_assessment_becomes_a_credential_that_verifies(stage: Stage) -> None:
    facts = await stage.passed()
    answer = await stage.provider.fetch(facts["url"])
    assert answer.status_code == 200
    credential = answer.json()
    assert credential["id"] == facts["url"]
    assert credential["credentialSubject"]["achievement"]["achievementType"] == "MicroCredential"
    verdict = await stage.provider.verify(answer.content)
    assert verdict["verdict"] == "valid", verdict


async def test_what_is_signed_resolves_and_names_one_address(stage: Stage) -> None:
    facts = await stage.passed()
    credential = (await stage.provider.fetch(facts["url"])).json()
    subject = credential["credentialSubject"]
    status = credential["credentialStatus"]["statusListCredential"]
    for url in (credential["id"], subject["achievement"]["id"], status):
        assert url.startswith(stage.world.address)
        assert (await stage.provider.fetch(url)).status_code == 200
    profile = f"{stage.world.address}/issuers/{SLUG}"
    assert (await stage.provider.fetch(profile)).json()["name"] == credential["issuer"]["name"]
    did = (await stage.provider.fetch(f"{profile}/did.json")).json()
    assert did["id"] == credential["issuer"]["id"]
    assert credential["proof"][0]["verificationMethod"] in did["assertionMethod"]


async def test_learner_and_partner_are_told_once_of_signature_and_revocation(stage: Stage) -> None:
    facts = await stage.passed()
    await stage.provider.revoke(facts["credential_id"], "issued-in-error")
    await stage.settled()
    told = [json.loads(delivery.body)["type"] for delivery in stage.partner.deliveries]
    assert told == ["credential.signed", "credential.revoked"]
    assert len({delivery.id for delivery in stage.partner.deliveries}) == 2
    assert [message.recipients for message in stage.mailbox.messages] == [("learner1@example.org",)] * 2


async def test_a_partner_is_told_nothing_personal(stage: Stage) -> None:
    await stage.passed()
    for delivery in stage.partner.deliveries:
        assert b"Learner" not in delivery.body
        assert b"example.org" not in delivery.body.replace(stage.world.address.encode(), b"")


async def test_a_revocation_reaches_the_public_list_and_the_verdict(stage: Stage) -> None:
    facts = await stage.passed()
    document = (await stage.provider.fetch(facts["url"])).content
    await stage.provider.revoke(facts["credential_id"], "misconduct")
    await stage.settled()
    verdict = await stage.provider.verify(document)
    assert verdict["verdict"] == "invalid"
    failed = [check["name"] for check in verdict["checks"] if check["outcome"] == "failed"]
    assert failed == ["status"]


async def test_a_failed_assessment_leaves_no_credential(stage: Stage) -> None:
    assessment = stage.assessment()
    assessment["results"] = dict.fromkeys(assessment["results"], "developing")
    answer = await stage.provider.submit(assessment)
    assert answer["outcome"] == "failed"
    await stage.settled()
    assert not stage.mailbox.messages
    assert not stage.partner.deliveries


async def test_the_public_document_names_nobody(stage: Stage) -> None:
    facts = await stage.passed()
    document = (await stage.provider.fetch(facts["url"])).content
    assert b"Learner Number1" not in document
    assert b"learner1@example.org" not in document
