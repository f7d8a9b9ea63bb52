"""Forgetting a learner: the key goes, and with it every sealed byte; log and credential stay whole."""

from __future__ import annotations

import asyncpg

from services.world_folder import read_environment
from tests.integration.world.conftest import PeopledWorld
from tests.integration.world.dumps import every_byte

NAME = "Zephyrine Quillfeather"
EMAIL = "zephyrine.quillfeather@example.org"
LEARNER = {"reference": "Z-1", "name": NAME, "email": EMAIL}


async def test_an_erased_learner_is_forgotten_everywhere_and_the_copy_still_verifies(
    world: PeopledWorld,
) -> None:
    facts = await world.passed(learner=LEARNER)
    document = (await world.provider.fetch(facts["url"])).content
    await world.provider.erase(await world.provider.learner_id("Z-1"))
    await world.settled()
    assert (await world.provider.fetch(facts["url"])).status_code == 410
    verdict = await world.provider.verify(document)
    assert verdict["verdict"] == "valid"


async def test_no_table_ever_holds_name_or_address_in_clear(world: PeopledWorld) -> None:
    await world.passed(learner=LEARNER)
    before = await every_byte(world.installation.cluster)
    await world.provider.erase(await world.provider.learner_id("Z-1"))
    await world.settled()
    after = await every_byte(world.installation.cluster)
    assert b"world-0001" in before, "the search itself must find what is there"
    for dump in (before, after):
        for secret in (NAME, NAME.upper(), EMAIL, EMAIL.partition("@")[0], "Quillfeather"):
            assert secret.encode() not in dump
            assert secret.encode().hex().encode() not in dump


async def test_an_erased_learner_leaves_no_key(world: PeopledWorld) -> None:
    await world.passed(learner=LEARNER)
    await world.provider.erase(await world.provider.learner_id("Z-1"))
    connection = await asyncpg.connect(read_environment(world.installation.folder)["VAULT_DATABASE_URL"])
    try:
        assert await connection.fetchval("SELECT count(*) FROM vault.learner_key") == 0
    finally:
        await connection.close()


async def test_a_learner_erased_before_the_revocation_is_told_nothing_and_nothing_breaks(
    world: PeopledWorld,
) -> None:
    facts = await world.passed(learner=LEARNER)
    await world.provider.erase(await world.provider.learner_id("Z-1"))
    await world.settled()
    await world.provider.revoke(facts["credential_id"], "learner-request")
    await world.settled()
    assert len(world.mailbox.messages) == 1
    assert [delivery.data["credential_id"] for delivery in world.partner.deliveries] == [
        facts["credential_id"]
    ] * 2
