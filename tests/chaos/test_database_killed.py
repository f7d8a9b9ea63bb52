"""PostgreSQL dies by SIGKILL beside a commit and is back two seconds later: the services go on by themselves.

No process is restarted, nothing is buried, readiness tells the truth meanwhile. Judged by the submitter's own
journal (tests/chaos/checks.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from services.demo.provider import Provider
from services.demo.sample import issuer_settings, sample_achievement, sample_issuer
from services.receivers import Mailbox, PartnerEndpoint
from services.world import DATABASE, World, open_world
from shared.bus import health
from shared.clock import ordered_uuid
from shared.database import Database
from shared.embedded import Cluster, free_port
from shared.errors import MicrocredError
from tests.chaos.checks import (
    PASSING,
    assessments,
    check_exactly_once,
    check_verdicts,
    revoke_some,
    settled,
    submit_all,
)
from tests.chaos.doom import Doom
from tests.chaos.journal import Journal
from tests.new_world import copy_world

DOWN_S = 2.0
UNREADY_S = 0.5
READINESS_WAIT_S = 60
POLL_EVERY_S = 0.05
QUICK = {"CRYPTOSUITES": '["eddsa-jcs-2022"]', "CANONICAL_PROCESSES": "1"}
LEASES = {"ATTEMPT_WAIT_S": "1", "LEASE_S": "2"}
"""A lease ends before PostgreSQL is back: what the courier could not write down goes out again."""
CUTS = (
    ("assessor.submit", "before"),
    ("assessor.submit", "after"),
    ("issuer.issue", "before"),
    ("issuer.sign", "before"),
    ("issuer.sign", "after"),
    ("issuer.publish_status", "before"),
    ("notifier.announce", "before"),
    ("notifier.courier", "before"),
)
"""Beside which commits PostgreSQL dies. One that breaks off has to be made up for, in every lane.

One that was done took its lane's cursor with it, or its caller's answer: two stand for all.
"""
BURIED = "SELECT count(*) FROM {}.dead_letter"


class PowerCut:
    """Kills the server at once when struck, and starts it again after DOWN_S."""

    def __init__(self) -> None:
        self.cluster: Cluster | None = None
        self.repaired: asyncio.Task[None] | None = None

    def strike(self) -> None:
        assert self.cluster is not None
        self.cluster.kill()
        self.repaired = asyncio.get_running_loop().create_task(self._repair(self.cluster))

    async def _repair(self, cluster: Cluster) -> None:
        await asyncio.sleep(DOWN_S)
        await asyncio.to_thread(cluster.restart)


@dataclass
class Site:
    """A world, its provider and the power cut that waits for it."""

    world: World
    provider: Provider
    power: PowerCut
    achievement_id: str

    async def readiness(self, wanted: int) -> dict[str, Any]:
        """Wait until the process says that it is ready (200), or not (503)."""
        async with httpx2.AsyncClient(trust_env=False) as http, asyncio.timeout(READINESS_WAIT_S):
            while True:
                answer = await http.get(f"{self.world.address}/health/ready")
                if answer.status_code == wanted:
                    told: dict[str, Any] = answer.json()
                    return told
                await asyncio.sleep(POLL_EVERY_S)


@pytest.fixture
async def site(
    new_world: Path,
    tmp_path: Path,
    mailbox: Mailbox,
    partner: PartnerEndpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Site]:
    monkeypatch.setattr(health, "UNAVAILABLE_UNREADY_S", UNREADY_S)
    definition, _ = sample_achievement()
    achievement_id = str(ordered_uuid())
    folder = copy_world(new_world, tmp_path / "world")
    async with open_world(folder, free_port(), mailbox.settings() | QUICK | LEASES) as world:
        assert world.cluster is not None
        power = PowerCut()
        power.cluster = world.cluster
        issuer = await sample_issuer(issuer_settings(world.folder), world.folder)
        async with Provider(world.address, issuer.token) as provider:
            await provider.until_known()
            await provider.publish_achievement(definition, achievement_id)
            partner.trust(await provider.subscribe(partner.url))
            yield Site(world, provider, power, achievement_id)
        if power.repaired is not None:
            await power.repaired


async def submit_file(
    provider: Provider, journal: Journal, path: Path, todo: Iterable[dict[str, Any]]
) -> None:
    """Stream all in as one CSV file; what is not answered with an outcome stays unanswered."""
    rows = [_row(each) for each in todo]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        journal.note_sent(row["assessment_id"])
    try:
        async for result in provider.submit_csv(path):
            if result["outcome"] in ("passed", "failed"):
                journal.note_acknowledged(result["assessment_id"], result["outcome"])
    except (httpx2.HTTPError, MicrocredError):
        return


def _row(assessment: dict[str, Any]) -> dict[str, str]:
    row = {name: value for name, value in assessment.items() if isinstance(value, str)}
    row |= {f"learner_{name}": value for name, value in assessment["learner"].items()}
    row |= {f"result:{name}": value for name, value in assessment["results"].items()}
    return row | {"evidence_url": assessment["evidence"][0]["url"]}


async def first_round(
    provider: Provider, journal: Journal, path: Path, todo: Iterable[dict[str, Any]]
) -> None:
    """Hand all in, and revoke some if all was answered; whatever breaks off is left to a second round."""
    await submit_file(provider, journal, path, todo)
    if not journal.unanswered:
        with contextlib.suppress(httpx2.HTTPError, MicrocredError):
            await revoke_some(provider, journal)


async def buried(cluster: Cluster | None, world: World) -> int:
    assert cluster is not None
    connection = await asyncpg.connect(cluster.dsn(DATABASE))
    try:
        return sum([await connection.fetchval(BURIED.format(name)) for name in world.settings])
    finally:
        await connection.close()


@pytest.mark.parametrize(("lane", "side"), CUTS)
async def test_the_database_killed_beside_a_commit_loses_and_doubles_nothing(
    lane: str,
    side: str,
    site: Site,
    journal: Journal,
    mailbox: Mailbox,
    partner: PartnerEndpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    todo = {each["assessment_id"]: each for each in assessments(site.achievement_id)}
    doom = Doom(lane, side, 1, site.power.strike)
    monkeypatch.setattr(Database, "session", doom.upon(Database.session))
    work = asyncio.create_task(first_round(site.provider, journal, tmp_path / "cohort.csv", todo.values()))
    told = await site.readiness(503)
    assert doom.struck, "the database was not killed at its named point"
    assert all("waiting for what it depends on" in problem for problem in told["problems"].values())
    await work
    await site.readiness(200)

    await submit_all(site.provider, journal, [todo[each] for each in journal.unanswered])
    assert not journal.unanswered
    assert len(journal.passed) == PASSING
    revoked = await revoke_some(site.provider, journal)
    await check_verdicts(site.provider, journal, revoked)
    connection = await settled(site.world.folder, len(journal.passed) + len(revoked))
    try:
        await check_exactly_once(connection, journal, revoked, mailbox, partner)
    finally:
        await connection.close()
    assert site.world.house.problems() == {}
    assert await buried(site.world.cluster, site.world) == 0
