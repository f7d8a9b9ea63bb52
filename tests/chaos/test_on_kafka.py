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

from services.fleet.child import Child
from services.fleet.parts import DESK, PARTS, SIGNER, Part
from services.starting import cluster_of
from shared.contracts.topics import ASSESSMENTS
from tests.chaos.site_on_kafka import SETTLE_WAIT_S, Site, counted, site_on_kafka
from tests.integration.kafka.stranger import Stranger

ASSESSOR = next(part for part in PARTS if part.name == "assessor")
VERIFIER = next(part for part in PARTS if part.name == "verifier")

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
    "before issuer.issue",
    "before notifier.announce",
    "publish assessor.relay",
)
DOWN_S = 1.0
ZOMBIE_S = 4.0
"""Longer than the leases and sessions of these processes."""
ASLEEP_S = 15.0
"""Longer than the leases and sessions of production."""
POISONED = 500
ROUNDS_MAX = 10
RECORDS, REQUESTS = "microcred_consumer_records_total", "microcred_http_requests_total"
ISSUING = {"consumer": "issuer.issue", "outcome": "handled"}
SIGNING = {"consumer": "issuer.sign", "outcome": "handled"}
VERIFYING = {"service": "verifier", "method": "POST", "status": "200"}


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


@pytest.mark.parametrize("side", ["before", "after"])
async def test_the_assessor_killed_while_it_takes_in_an_achievement(site: Site, side: str) -> None:
    """Its assessments are taken all the same: the publication was not lost, nor kept twice."""
    site.arm(f"{side} assessor.keep_achievements")
    await site.publish()
    await site.struck()
    await site.submit(site.made(f"{side}-published"))
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


async def test_a_revocation_is_in_the_next_list_also_while_the_broker_is_away(site: Site) -> None:
    away = site.made("away")
    await site.submit(away)
    await site.judge()
    before = await site.lists_published()
    await asyncio.to_thread(site.broker.kill)
    await site.revoke(away)
    async with asyncio.timeout(SETTLE_WAIT_S):
        while await site.lists_published() == before:  # noqa: ASYNC110 - another process works
            await asyncio.sleep(DOWN_S / 10)
    await asyncio.to_thread(site.broker.restart)
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
    site.buried += 1
    submitting = asyncio.create_task(site.submit(todo[half:]))
    while len(site.world.fleet.of("desk")) < 3:
        site.world.fleet.add(DESK)
    site.world.fleet.add(SIGNER)
    site.world.fleet.add(VERIFIER)
    await submitting
    await site.world.fleet.ready()
    await site.judge()


async def test_two_desks_two_signers_and_two_verifiers_each_do_some_of_the_work(site: Site) -> None:
    """As each of them has counted it: records handled, and verdicts given."""
    fleet = site.world.fleet
    for part in (DESK, SIGNER, VERIFIER):
        while len(fleet.of(part.name)) < 2:
            fleet.add(part)
    await fleet.ready()
    before = await worked(site)
    assert len(before) >= 6
    for round_ in range(ROUNDS_MAX):
        todo = site.made(f"shared-{round_}")
        await site.submit(todo)
        facts = await site.provider.credential_of(todo[0]["assessment_id"])
        document = await site.provider.fetch(f"/credentials/{facts['credential_id']}")
        for _ in fleet.of(VERIFIER.name):
            assert (await site.provider.verify(document.content))["verdict"] == "valid"
        await site.world.settled(SETTLE_WAIT_S)
        now = await worked(site)
        if all(now[child] > before[child] for child in before):
            break
    assert not [child.name for child in before if now[child] == before[child]], "did nothing"
    await site.judge()


async def worked(site: Site) -> dict[Child, float]:
    """How much of what can be shared each process of desk, signer and verifier has done."""
    fleet = site.world.fleet
    work = {desk: counted(desk, RECORDS, **ISSUING) for desk in fleet.of(DESK.name)}
    work |= {signer: counted(signer, RECORDS, **SIGNING) for signer in fleet.of(SIGNER.name)}
    work |= {each: counted(each, REQUESTS, **VERIFYING) for each in fleet.of(VERIFIER.name)}
    return dict(zip(work, await asyncio.gather(*work.values()), strict=True))


async def test_a_relay_that_sleeps_past_the_leases_of_production_is_relieved_and_comes_back(
    site: Site,
) -> None:
    """Last in this file: the processes of the assessor are not as hasty from here on."""
    fleet, relayed = site.world.fleet, "microcred_consumer_batch_records_count"
    site.patient()
    sleeper = fleet.of(ASSESSOR.name)[0]
    sleeper.signal(signal.SIGKILL)
    await site.submit(site.made("patience"))
    await site.world.settled(SETTLE_WAIT_S)
    successor = fleet.add(ASSESSOR)
    await fleet.ready()
    assert await counted(sleeper, relayed, consumer="assessor.relay") > 0
    assert await counted(successor, relayed, consumer="assessor.relay") == 0
    sent = asyncio.create_task(site.submit(site.made("asleep", 60)))
    sleeper.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(ASLEEP_S)
        assert await counted(successor, relayed, consumer="assessor.relay") > 0
    finally:
        sleeper.signal(signal.SIGCONT)
    await sent
    await site.judge()
