"""Forgetting a learner: the key goes, and with it every sealed byte; log and credential stay whole."""

from __future__ import annotations

import asyncpg

from services.world import read_environment
from tests.integration.world.conftest import Stage
from tests.integration.world.dumps import every_byte

NAME = "Zephyrine Quillfeather"
EMAIL = "zephyrine.quillfeather@example.org"
LEARNER = {"reference": "Z-1", "name": NAME, "email": EMAIL}


async def test_an_erased_learner_is_forgotten_everywhere_and_the_copy_still_verifies(stage: Stage) -> None:
    facts = await stage.passed(learner=LEARNER)
    document = (await stage.provider.fetch(facts["url"])).content
    await stage.provider.erase(await stage.provider.learner_id("Z-1"))
    await stage.settled()
    assert (await stage.provider.fetch(facts["url"])).status_code == 410
    verdict = await stage.provider.verify(document)
    assert verdict["verdict"] == "valid"


async def test_no_table_ever_holds_name_or_address_in_clear(stage: Stage) -> None:
    await stage.passed(learner=LEARNER)
    before = await every_byte(stage.world.cluster)
    await stage.provider.erase(await stage.provider.learner_id("Z-1"))
    await stage.settled()
    after = await every_byte(stage.world.cluster)
    assert b"stage-0001" in before, "the search itself must find what is there"
    for dump in (before, after):
        for secret in (NAME, NAME.upper(), EMAIL, EMAIL.partition("@")[0], "Quillfeather"):
            assert secret.encode() not in dump
            assert secret.encode().hex().encode() not in dump


async def test_an_erased_learner_leaves_no_key(stage: Stage) -> None:
    await stage.passed(learner=LEARNER)
    await stage.provider.erase(await stage.provider.learner_id("Z-1"))
    connection = await asyncpg.connect(read_environment(stage.world.folder)["VAULT_DATABASE_URL"])
    try:
        assert await connection.fetchval("SELECT count(*) FROM vault.learner_key") == 0
    finally:
        await connection.close()


async def test_a_learner_erased_before_the_revocation_is_told_nothing_and_nothing_breaks(
    stage: Stage,
) -> None:
    facts = await stage.passed(learner=LEARNER)
    await stage.provider.erase(await stage.provider.learner_id("Z-1"))
    await stage.settled()
    await stage.provider.revoke(facts["credential_id"], "learner-request")
    await stage.settled()
    assert len(stage.mailbox.messages) == 1
    assert [delivery.data["credential_id"] for delivery in stage.partner.deliveries] == [
        facts["credential_id"]
    ] * 2
