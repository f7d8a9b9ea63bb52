"""The whole cycle, seen from outside and on either bus: assessed, issued, signed, announced, revoked."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator

import pytest

from services.demo.sample import KEY_FILE, SLUG
from shared.bus.kafka import Cluster, topics
from shared.contracts.topics import TOPICS
from shared.loopback import loopback_client
from tests.contract.bus.buses import ONE_BROKER
from tests.integration.issuer.posting import NAME, credential, end, post
from tests.integration.world.conftest import SETTLE_WAIT_S, PeopledWorld
from tests.integration.world.signed_addresses import Walk, without_context


@pytest.fixture(params=[pytest.param("kafka", marks=pytest.mark.kafka), "local"])
async def bus_settings(request: pytest.FixtureRequest) -> AsyncIterator[dict[str, str]]:
    """Settings of either bus; on Kafka with topics that only this test sees."""
    if request.param == "local":
        yield {}
        return
    cluster = Cluster(request.getfixturevalue("kafka"), f"{uuid.uuid4().hex}.")
    await topics.create(cluster, TOPICS, ONE_BROKER)
    yield {
        "BUS": "kafka",
        "KAFKA_BOOTSTRAP_SERVERS": cluster.bootstrap_servers,
        "KAFKA_PREFIX": cluster.prefix,
    }
    await topics.delete(cluster, TOPICS)


async def test_a_passed_assessment_becomes_a_credential_that_verifies(world: PeopledWorld) -> None:
    facts = await world.passed()
    answer = await world.provider.fetch(facts["url"])
    assert answer.status_code == 200
    credential = answer.json()
    assert credential["id"] == facts["url"]
    assert credential["credentialSubject"]["achievement"]["achievementType"] == "MicroCredential"
    verdict = await world.provider.verify(answer.content)
    assert verdict["verdict"] == "valid", verdict


async def test_what_is_signed_resolves_and_names_one_address(world: PeopledWorld) -> None:
    facts = await world.passed()
    credential = (await world.provider.fetch(facts["url"])).json()
    public_url = world.installation.address
    walk = Walk(world, public_url, credential["issuer"]["id"])
    await walk.follow(credential)
    assert walk.faults == []
    profile = f"{public_url}/issuers/{SLUG}"
    achievement = f"{public_url}/achievements/{world.achievement_id}/1"
    status = credential["credentialStatus"]["statusListCredential"]
    assert set(walk.pages) == {facts["url"], achievement, profile, status}
    assert walk.pages[facts["url"]] == credential
    assert without_context(walk.pages[achievement]) == credential["credentialSubject"]["achievement"]
    assert without_context(walk.pages[profile]) == credential["issuer"]
    did = (await world.provider.fetch(f"{profile}/did.json")).json()
    assert did["id"] == credential["issuer"]["id"]
    assert credential["proof"][0]["verificationMethod"] in did["assertionMethod"]


async def test_learner_and_partner_are_told_once_of_signature_and_revocation(world: PeopledWorld) -> None:
    facts = await world.passed()
    await world.provider.revoke(facts["credential_id"], "issued-in-error")
    await world.settled()
    told = [json.loads(delivery.body)["type"] for delivery in world.partner.deliveries]
    assert told == ["credential.signed", "credential.revoked"]
    assert len({delivery.id for delivery in world.partner.deliveries}) == 2
    assert [message.recipients for message in world.mailbox.messages] == [("learner1@example.org",)] * 2


async def test_a_partner_is_told_nothing_personal(world: PeopledWorld) -> None:
    await world.passed()
    for delivery in world.partner.deliveries:
        assert b"Learner" not in delivery.body
        assert b"example.org" not in delivery.body.replace(world.installation.address.encode(), b"")


async def test_a_revocation_reaches_the_public_list_and_the_verdict(world: PeopledWorld) -> None:
    facts = await world.passed()
    document = (await world.provider.fetch(facts["url"])).content
    await world.provider.revoke(facts["credential_id"], "misconduct")
    await world.settled()
    verdict = await world.provider.verify(document)
    assert verdict["verdict"] == "invalid"
    failed = [check["name"] for check in verdict["checks"] if check["outcome"] == "failed"]
    assert failed == ["status"]


async def test_what_was_posted_is_signed_and_verifies_until_it_is_revoked(world: PeopledWorld) -> None:
    token = (world.installation.folder / KEY_FILE).read_text("ascii").strip()
    caller = {"base_url": world.installation.address, "headers": {"Authorization": f"Bearer {token}"}}
    async with loopback_client(**caller, timeout=SETTLE_WAIT_S) as http:
        answer = await post(http, credential(id=NAME))
        assert answer.status_code == 201, answer.text
        document = json.dumps(answer.json()["verifiableCredential"]).encode()
        await world.settled()
        assert (await world.provider.verify(document))["verdict"] == "valid"
        signed = json.loads(document)
        walk = Walk(world, world.installation.address, signed["issuer"])
        await walk.follow(signed)
        assert walk.faults == []
        assert set(walk.pages) == {signed["credentialStatus"]["statusListCredential"]}
        assert (await end(http, NAME)).status_code == 200
    await world.settled()
    verdict = await world.provider.verify(document)
    assert verdict["verdict"] == "invalid"
    assert [check["name"] for check in verdict["checks"] if check["outcome"] == "failed"] == ["status"]


async def test_a_failed_assessment_leaves_no_credential(world: PeopledWorld) -> None:
    assessment = world.assessment()
    assessment["results"] = dict.fromkeys(assessment["results"], "developing")
    answer = await world.provider.submit(assessment)
    assert answer["outcome"] == "failed"
    await world.settled()
    assert not world.mailbox.messages
    assert not world.partner.deliveries


async def test_the_public_document_names_nobody(world: PeopledWorld) -> None:
    facts = await world.passed()
    document = (await world.provider.fetch(facts["url"])).content
    assert b"Learner Number1" not in document
    assert b"learner1@example.org" not in document
