"""Lists, keys and names travel as events and decide verdicts."""

from __future__ import annotations

from datetime import timedelta

from httpx2 import AsyncClient

from services.verifier.handlers import PUBLISHED_TO_KEPT
from shared import clock
from shared.service import Running
from tests.integration.verifier.conftest import (
    SETTLE_WAIT_S,
    Log,
    check,
    published_key,
    published_list,
    stamp,
    verify,
)
from tests.unit.verifier.credentials import INDEX, ISSUER, LIST_ID, OTHER, WEB, WEB_DID, Signer, badge


async def test_a_revocation_reaches_the_verifier_as_an_event(
    house: Running, client: AsyncClient, log: Log
) -> None:
    credential = ISSUER.sign(badge())
    before_it_came = await verify(client, credential)
    await log.append(published_list(ISSUER))
    await house.settled(SETTLE_WAIT_S)
    before = await verify(client, credential)
    await log.append(published_list(ISSUER, version=2, revoked=[INDEX]))
    await house.settled(SETTLE_WAIT_S)
    after = await verify(client, credential)
    assert [each["verdict"] for each in (before_it_came, before, after)] == ["unknown", "valid", "invalid"]
    assert check(before_it_came, "status")["code"] == "STATUS_RETRIEVAL_ERROR"
    assert check(after, "status")["code"] == "REVOKED"


async def test_an_older_version_never_replaces_a_newer_one(
    house: Running, client: AsyncClient, log: Log
) -> None:
    await log.append(published_list(ISSUER, version=2, revoked=[INDEX]), published_list(ISSUER, version=1))
    await house.settled(SETTLE_WAIT_S)
    await log.append(published_list(ISSUER, version=1))
    await house.settled(SETTLE_WAIT_S)
    assert (await verify(client, ISSUER.sign(badge())))["verdict"] == "invalid"


async def test_a_kept_list_that_is_out_of_date_is_not_believed(
    house: Running, client: AsyncClient, log: Log
) -> None:
    await log.append(published_list(ISSUER, ends_in_s=-600))
    await house.settled(SETTLE_WAIT_S)
    verdict = await verify(client, ISSUER.sign(badge()))
    assert verdict["verdict"] == "unknown"
    assert check(verdict, "status")["code"] == "STATUS_VERIFICATION_ERROR"


async def test_one_tenants_list_does_not_vouch_for_anothers_credential(
    house: Running, client: AsyncClient, log: Log
) -> None:
    await log.append(published_list(OTHER), tenant="south")
    await house.settled(SETTLE_WAIT_S)
    assert (await verify(client, ISSUER.sign(badge())))["verdict"] == "unknown"


async def test_a_list_somewhere_else_is_not_looked_for_here(
    house: Running, client: AsyncClient, log: Log
) -> None:
    await log.append(published_list(ISSUER))
    await house.settled(SETTLE_WAIT_S)
    elsewhere = badge()
    elsewhere["credentialStatus"]["statusListCredential"] = f"https://elsewhere.example/status/{LIST_ID}"
    verdict = await verify(client, ISSUER.sign(elsewhere))
    assert check(verdict, "status")["code"] == "STATUS_RETRIEVAL_ERROR"


async def test_a_tenant_with_a_did_web_is_known_by_its_published_keys(
    house: Running, client: AsyncClient, log: Log
) -> None:
    credential = WEB.sign(badge(WEB, credentialStatus=None), created=stamp(clock.now()))
    stranger = await verify(client, credential)
    await log.publish_tenant(WEB)
    await house.settled(SETTLE_WAIT_S)
    tenant = await verify(client, credential)
    assert (stranger["verdict"], check(stranger, "proof")["code"]) == ("unknown", "KEY_NOT_RETRIEVED")
    assert tenant["verdict"] == "valid"
    assert "North College" in check(tenant, "issuer recognised")["sentence"]


async def test_a_key_signs_nothing_before_it_was_published(
    house: Running, client: AsyncClient, log: Log
) -> None:
    await log.publish_tenant(WEB)
    await house.settled(SETTLE_WAIT_S)
    backdated = WEB.sign(badge(WEB, credentialStatus=None), created=stamp(clock.now() - timedelta(days=2)))
    verdict = await verify(client, backdated)
    assert verdict["verdict"] == "invalid"
    assert check(verdict, "key belongs to issuer")["outcome"] == "failed"


async def test_keys_of_a_tenant_stay_good_when_more_are_published(
    house: Running, client: AsyncClient, log: Log
) -> None:
    await log.publish_tenant(WEB)
    second = Signer(9, WEB_DID)
    await log.append(published_key(second, clock.now() - timedelta(hours=1)))
    await house.settled(SETTLE_WAIT_S)
    for signer in (WEB, second):
        credential = signer.sign(badge(signer, credentialStatus=None), created=stamp(clock.now()))
        assert (await verify(client, credential))["verdict"] == "valid"


async def test_a_name_follows_the_newest_profile(house: Running, client: AsyncClient, log: Log) -> None:
    await log.publish_tenant(ISSUER, name="North College")
    await log.publish_tenant(OTHER, tenant="south", name="South College")
    await house.settled(SETTLE_WAIT_S)
    verdict = await verify(client, ISSUER.sign(badge(credentialStatus=None)))
    assert check(verdict, "issuer recognised")["sentence"].startswith(
        "The issuer is known as North College since"
    )
    stranger = Signer(11)
    verdict = await verify(client, stranger.sign(badge(stranger, credentialStatus=None)))
    assert verdict["verdict"] == "valid"
    assert check(verdict, "issuer recognised")["code"] == "ISSUER_NOT_RECOGNISED"


async def test_a_list_that_is_none_is_buried_and_the_good_one_stays(
    house: Running, client: AsyncClient, log: Log
) -> None:
    await log.append(published_list(ISSUER))
    broken = published_list(ISSUER, version=2).model_copy(update={"credential": "[]"})
    await log.append(broken)
    await house.settled(SETTLE_WAIT_S)
    async with house.services[0].database.connection() as connection:
        buried = await connection.fetchval("SELECT error FROM dead_letter")
    assert buried.startswith("status-list-unreadable")
    assert (await verify(client, ISSUER.sign(badge())))["verdict"] == "valid"


async def test_the_way_of_a_list_to_the_verifier_is_measured(house: Running, log: Log) -> None:
    def observed() -> float:
        samples = PUBLISHED_TO_KEPT._child_samples()
        return next(sample.value for sample in samples if sample.name == "_count")

    before = observed()
    await log.append(published_list(ISSUER))
    await house.settled(SETTLE_WAIT_S)
    assert observed() == before + 1
