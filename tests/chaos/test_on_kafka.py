"""kill -9, SIGSTOP and company on a real Kafka: nothing is lost, nothing happens twice, keys stay in order.

One installation for all; after each test everything so far is held against the submitter's own journal
(tests/chaos/site_on_kafka.py).
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.fleet.parts import DESK, PARTS, SIGNER, Part
from services.starting import cluster_of
from shared.contracts.topics import ASSESSMENTS
from tests.chaos.site_on_kafka import Site, site_on_kafka
from tests.integration.kafka.stranger import Stranger

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]

POINTS = (
    "after issuer.issue",
    "after issuer.sign",
    "after issuer.publish_status",
    "after notifier.announce",
    "after notifier.courier",
    "after verifier.keep_lists",
    "advance assessor.relay",
    "advance issuer.relay",
    "advance notifier.relay",
    "before issuer.issue",
    "before notifier.announce",
    "publish assessor.relay",
)
DOWN_S = 1.0
ZOMBIE_S = 4.0
"""Longer than the leases and sessions of these processes."""
POISONED = 500


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with site_on_kafka(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.mark.parametrize("point", POINTS)
async def test_a_process_killed_between_what_it_did_and_saying_so(site: Site, point: str) -> None:
    todo = site.made(point.replace(" ", "-"))
    site.arm(point)
    await site.submit(todo)
    await site.revoke(todo)
    await site.struck()
    await site.judge()


async def test_a_process_killed_while_its_group_is_shared_out_anew(site: Site) -> None:
    todo = site.made("rebalance")
    site.arm("rebalance issuer.issue")
    submitting = asyncio.create_task(site.submit(todo))
    site.world.fleet.add(DESK)
    await submitting
    await site.struck()
    await site.judge()


async def test_the_broker_killed_under_load_and_started_again(site: Site) -> None:
    todo = site.made("broker", 60)
    submitting = asyncio.create_task(site.submit(todo))
    await asyncio.to_thread(site.broker.kill)
    await asyncio.to_thread(site.broker.restart)
    await submitting
    await site.judge()


async def test_postgresql_killed_under_load_and_started_again(site: Site) -> None:
    assert site.world.cluster is not None
    todo = site.made("database", 60)
    submitting = asyncio.create_task(site.submit(todo))
    site.world.cluster.kill()
    await asyncio.sleep(DOWN_S)
    await asyncio.to_thread(site.world.cluster.restart)
    await submitting
    await site.judge()


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
async def test_a_process_that_is_stopped_past_its_leases_and_comes_back(site: Site, part: Part) -> None:
    """With it stop its relay and its members of groups; desk and signer relay one log in turn."""
    child = site.world.fleet.of(part.name)[0]
    todo = site.made(f"zombie-{child.name}")
    pid = child.pid
    assert pid is not None
    sent = asyncio.create_task(site.submit(todo))
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(ZOMBIE_S)
    finally:
        os.kill(pid, signal.SIGCONT)
    await sent
    await site.judge()


async def test_one_to_three_issuers_under_load_with_poison_in_the_middle(site: Site) -> None:
    """Two of each part that has groups share the work; one record that nobody can read is one dead letter."""
    todo = site.made("scale", POISONED)
    half = len(todo) // 2
    await site.submit(todo[:half])
    stranger = Stranger(cluster_of(site.world.settings["issuer"]))
    await stranger.writes(
        ASSESSMENTS, b"riverside-college/assessment-odd", b"{", ce_type=b"assessment.passed.v1"
    )
    submitting = asyncio.create_task(site.submit(todo[half:]))
    while len(site.world.fleet.of("desk")) < 3:
        site.world.fleet.add(DESK)
    site.world.fleet.add(SIGNER)
    site.world.fleet.add(next(part for part in PARTS if part.name == "verifier"))
    await submitting
    await site.world.fleet.ready()
    await site.judge(buried=1)
