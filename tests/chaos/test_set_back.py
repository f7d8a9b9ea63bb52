"""Kafka or PostgreSQL is set back: the first is filled again from the second, the second is refused."""

from __future__ import annotations

import asyncio
import email
import shutil
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from services.cli.republish import PRODUCERS
from services.fleet.parts import PARTS
from services.starting import make_development_topics
from shared.errors import Conflict
from tests.chaos.site_on_kafka import SETTLE_WAIT_S, Site, site_on_kafka
from tests.integration.cli.conftest import microcred

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]

POLL_EVERY_S = 0.1
FORGET = "DELETE FROM assessor.event WHERE position > $1"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with site_on_kafka(tmp_path_factory.mktemp("site")) as site:
        yield site


async def republish(site: Site) -> None:
    """Do what docs/how-to/lost-broker.md says: relays first, topics then."""
    for name in PRODUCERS:
        words = ("republish", name, "--from", "0", "--data", str(site.world.folder))
        done = await asyncio.to_thread(microcred, *words)
        assert done.returncode == 0, done.stderr
        assert "will be published again" in done.stdout
    await make_development_topics(site.world.settings["issuer"])


async def test_a_broker_that_lost_everything_is_filled_from_the_databases(site: Site) -> None:
    """While everything runs; nothing is lost and nothing is announced twice."""
    before = site.made("before")
    await site.submit(before)
    await site.revoke(before)
    await site.judge()
    letters, webhooks = len(site.mailbox.messages), len(site.partner.deliveries)
    await asyncio.to_thread(site.broker.kill)
    shutil.rmtree(site.world.folder / "kafka" / "data")
    await asyncio.to_thread(site.broker.restart)
    meanwhile = site.made("meanwhile")
    await site.submit(meanwhile)
    await republish(site)
    await site.submit(site.made("after"))
    await site.judge()
    assert len(site.mailbox.messages) > letters
    assert len({each.headers["webhook-id"] for each in site.partner.deliveries}) > webhooks
    told = [each.headers["webhook-id"] for each in site.partner.deliveries]
    assert len(told) == len(set(told)), "a partner was told twice"
    written = [email.message_from_bytes(each.content)["Message-ID"] for each in site.mailbox.messages]
    assert len(written) == len(set(written)), "a learner was written to twice"


async def test_the_verifier_is_rebuilt_from_the_beginning_of_the_topics(site: Site) -> None:
    """Beside the running one: what it knew, it knows again, and a revoked credential stays revoked."""
    assert site.world.cluster is not None
    admin = await asyncpg.connect(site.world.cluster.dsn("microcred"))
    try:
        lists = "SELECT list_id, version FROM verifier.status_list ORDER BY 1"
        before = await admin.fetch(lists)
        await admin.execute("UPDATE verifier.issuer SET name = 'altered'")
        words = ("replay", "verifier", "--data", str(site.world.folder))
        done = await asyncio.to_thread(microcred, *words)
        assert done.returncode == 0, done.stderr
        assert await admin.fetchval("SELECT count(*) FROM verifier.issuer WHERE name = 'altered'") == 0
        assert await admin.fetch(lists) == before
    finally:
        await admin.close()
    await site.judge()


async def test_topics_made_before_the_relays_were_set_back_are_not_published_to(site: Site) -> None:
    await asyncio.to_thread(site.broker.kill)
    shutil.rmtree(site.world.folder / "kafka" / "data")
    await asyncio.to_thread(site.broker.restart)
    await make_development_topics(site.world.settings["issuer"])
    log = site.world.fleet.of("assessor")[0]
    async with asyncio.timeout(SETTLE_WAIT_S):
        while "the broker lost them" not in log.last_words():  # noqa: ASYNC110 - another process works
            await asyncio.sleep(POLL_EVERY_S)
    await republish(site)
    await site.submit(site.made("set-back"))
    await site.judge()


async def test_a_database_older_than_the_topics_does_not_start_and_says_what_to_do(site: Site) -> None:
    """What a restored backup looks like: the last events are gone, everything else is as it was."""
    assert site.world.cluster is not None
    [child] = site.world.fleet.of("assessor")
    await child.stop()
    admin = await asyncpg.connect(site.world.cluster.dsn("microcred"))
    try:
        last = await admin.fetchval("SELECT max(position) FROM assessor.event")
        await admin.execute("SET session_replication_role = replica")  # past the guard of the log
        await admin.execute(FORGET, last - 20)
    finally:
        await admin.close()
    again = site.world.fleet.add(next(part for part in PARTS if part.name == "assessor"))
    with pytest.raises(Conflict, match=r"restored from a backup that is older.*set KAFKA_PREFIX"):
        await site.world.fleet.ready(SETTLE_WAIT_S)
    assert again.refusal is not None
