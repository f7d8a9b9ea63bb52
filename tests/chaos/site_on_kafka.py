"""An installation of processes on a broker of its own, for all crash tests of a module; judged after each.

Journal, mailbox and partner live here and survive what is killed. They grow from test to test, and every
judgement is of all that happened so far.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
from prometheus_client.parser import text_string_to_metric_families

from services.demo.provider import Provider
from services.demo.sample import issuer_settings, sample_achievement, sample_issuer
from services.fleet.child import Child
from services.fleet.parts import Part, command_of
from services.fleet.world import FleetWorld, open_fleet
from services.receivers import Mailbox, PartnerEndpoint
from services.starting import cluster_of
from shared.clock import ordered_uuid
from shared.contracts.event import Topic
from shared.contracts.registry import PUBLISHED, stored_types
from shared.contracts.topics import TOPICS
from shared.embedded import free_port
from shared.embedded.kafka import Broker
from shared.errors import MicrocredError
from shared.loopback import loopback_client
from tests.chaos.checks import assessments, check_exactly_once, submit_all
from tests.chaos.journal import Journal
from tests.integration.kafka.stranger import Stranger

SETTLE_WAIT_S = 90
STRUCK_WAIT_S = 45
POLL_EVERY_S = 0.05
QUICK = {
    "CRYPTOSUITES": '["eddsa-jcs-2022"]',
    "CANONICAL_PROCESSES": "1",
    "ATTEMPT_WAIT_S": "6",
    "LEASE_S": "12",
    "REQUESTS_PER_SECOND_MAX": "100000",
    "REQUESTS_BURST_MAX": "100000",
}
LOGGED = """
SELECT issuer_id || '/' || stream AS key, array_agg(version ORDER BY version) AS versions
FROM {}.event WHERE type = ANY($1) GROUP BY 1
"""
LISTS_PUBLISHED = "SELECT count(*) FROM issuer.event WHERE type = 'status-list.published.v1'"
BURIED = "SELECT count(*) FROM {}.dead_letter WHERE resolved_at IS NULL"


@dataclass
class Site:
    """The installation, those around it, and what they noted."""

    world: FleetWorld
    broker: Broker
    provider: Provider
    journal: Journal
    mailbox: Mailbox
    partner: PartnerEndpoint
    achievement_id: str
    revoked: list[str] = field(default_factory=list)
    buried: int = 0
    """Records that nobody can read, which the test wrote."""

    @property
    def _order(self) -> Path:
        return self.world.folder / "doom"

    def arm(self, point: str) -> None:
        """Have the first process die that comes to `point` (tests/chaos/armed_service.py)."""
        self._order.write_text(point, "utf-8")

    def patient(self) -> None:
        """Have what is started from now on keep its leases and sessions as long as in production."""
        (self.world.folder / "patient").touch()

    async def struck(self) -> None:
        """Wait until a process has died at the named point, and everything that runs is ready again."""
        async with asyncio.timeout(STRUCK_WAIT_S):
            while self._order.exists():  # noqa: ASYNC110 - another process works
                await asyncio.sleep(POLL_EVERY_S)
        await self.world.fleet.ready()

    def made(self, name: str, number: int = 24) -> list[dict[str, Any]]:
        """Return assessments that nobody has sent yet."""
        return assessments(self.achievement_id, number, name)

    async def publish(self) -> None:
        """Publish another achievement, which the assessments made from now on are for."""
        definition, _ = sample_achievement()
        self.achievement_id = str(ordered_uuid())
        await self._persist(self.provider.publish_achievement, definition, self.achievement_id)

    async def submit(self, todo: Sequence[dict[str, Any]]) -> None:
        """Send all of them, again and again, until each is acknowledged."""
        async with asyncio.timeout(SETTLE_WAIT_S):
            while left := [each for each in todo if each["assessment_id"] not in self.journal.acknowledged]:
                await submit_all(self.provider, self.journal, left)
                await asyncio.sleep(POLL_EVERY_S)  # whoever was refused lets the others work

    async def revoke(self, todo: Sequence[dict[str, Any]]) -> None:
        """Revoke the credentials of three of them that passed."""
        own = {each["assessment_id"] for each in todo} & self.journal.passed
        for assessment_id in sorted(own)[:3]:
            credential_id = await self._persist(self._revoke_one, assessment_id)
            if credential_id not in self.revoked:
                self.revoked.append(credential_id)

    async def _revoke_one(self, assessment_id: str) -> str:
        facts = await self.provider.credential_of(assessment_id)
        if facts["state"] != "revoked":
            await self.provider.revoke(facts["credential_id"], "issued-in-error")
        return str(facts["credential_id"])

    @staticmethod
    async def _persist(ask: Any, *words: Any) -> Any:
        async with asyncio.timeout(SETTLE_WAIT_S):
            while True:
                try:
                    return await ask(*words)
                except (httpx2.HTTPError, MicrocredError):
                    await asyncio.sleep(POLL_EVERY_S)

    async def judge(self) -> None:
        """Wait until nothing waits anywhere, and hold everything against the journal."""
        await self.world.settled(SETTLE_WAIT_S)
        reader = await asyncpg.connect(self.world.settings["issuer"].log_dsn)
        try:
            await check_exactly_once(reader, self.journal, self.revoked, self.mailbox, self.partner)
            published = {topic.name: await _published(reader, topic) for topic in TOPICS}
        finally:
            await reader.close()
        assert await self._letters() == self.buried
        await self._check_order(published)

    async def _letters(self) -> int:
        return sum([await self._count(BURIED.format(name)) for name in self.world.settings])

    async def lists_published(self) -> int:
        """How many versions of status lists the issuer's log holds."""
        return await self._count(LISTS_PUBLISHED)

    async def _count(self, sql: str) -> int:
        assert self.world.cluster is not None
        admin = await asyncpg.connect(self.world.cluster.dsn("microcred"))
        try:
            return int(await admin.fetchval(sql))
        finally:
            await admin.close()

    async def _check_order(self, published: Mapping[str, Mapping[str, list[int]]]) -> None:
        """On every topic stand the published events, the first copies of each key in order; copies are alike.

        `published` has their versions by topic and key.
        """
        stranger = Stranger(cluster_of(self.world.settings["issuer"]))
        for topic in TOPICS:
            versions: dict[str, list[int]] = {}
            bodies: dict[str, set[bytes]] = {}
            for record in await stranger.reads(topic):
                if "ce_id" not in record.headers:
                    continue
                bodies.setdefault(record.headers["ce_id"], set()).add(record.value)
                versions.setdefault(record.key, []).append(int(record.headers["ce_sequence"]))
            assert all(len(each) == 1 for each in bodies.values())
            assert {key: list(dict.fromkeys(seen)) for key, seen in versions.items()} == published[topic.name]


async def _published(reader: asyncpg.Connection[asyncpg.Record], topic: Topic) -> dict[str, list[int]]:
    types = stored_types(event for event in PUBLISHED if event.TOPIC is topic)
    return {row["key"]: row["versions"] for row in await reader.fetch(LOGGED.format(topic.producer), types)}


async def counted(child: Child, metric: str, **labels: str) -> float:
    """Return how far a process has counted, as its own /metrics tell; 0 for what never happened in it."""
    async with loopback_client() as http:
        told = (await http.get(f"{child.address}/metrics")).text
    return sum(
        sample.value
        for family in text_string_to_metric_families(told)
        for sample in family.samples
        if sample.name == metric and labels.items() <= sample.labels.items()
    )


def command(folder: Path) -> Any:
    """Return how a process is started so that it can be doomed."""

    def armed(part: Part) -> list[str]:
        words = command_of(part)[3:]
        return [sys.executable, "-m", "tests.chaos.armed_service", str(folder), part.service, *words]

    return armed


@asynccontextmanager
async def site_on_kafka(folder: Path) -> AsyncIterator[Site]:
    """Open the installation with an issuer, a published achievement and a partner that has subscribed."""
    definition, _ = sample_achievement()
    achievement_id = str(ordered_uuid())
    async with AsyncExitStack() as stack:
        mailbox = await stack.enter_async_context(Mailbox(folder / "mail"))
        partner = await stack.enter_async_context(PartnerEndpoint())
        broker = await asyncio.to_thread(Broker.open, folder / "kafka")
        stack.callback(broker.stop)
        overrides = {**mailbox.settings(), **QUICK, "KAFKA_BOOTSTRAP_SERVERS": broker.address}
        world = await stack.enter_async_context(
            open_fleet(folder, free_port(), overrides, command=command(folder))
        )
        issuer = await sample_issuer(issuer_settings(world.folder), world.folder)
        provider = await stack.enter_async_context(Provider(world.address, issuer.token))
        await provider.until_known()
        await provider.publish_achievement(definition, achievement_id)
        partner.trust(await provider.subscribe(partner.url))
        await world.settled(SETTLE_WAIT_S)
        journal = Journal(folder / "journal.ndjson")
        yield Site(world, broker, provider, journal, mailbox, partner, achievement_id)
