"""An assessor at work on a real PostgreSQL, asked over HTTP; the issuer is played by its log."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from services.assessor.service import build
from services.assessor.settings import AssessorSettings
from shared import clock
from shared.access import NewKey, Scope, new_key
from shared.app import application
from shared.bus.local import LocalBus
from shared.contracts.achievements import AchievementDefinition, AchievementPublished
from shared.contracts.event import Event
from shared.contracts.issuers import ApiKeyCreated
from shared.database import Database
from shared.eventstore import Append, Meta, Recorded
from shared.eventstore.log import read_after
from shared.sealing import MasterKey
from shared.service import Running, Service, running

WAIT_S = 60.0
ALPHA, BETA = "alpha-academy", "beta-college"
ACHIEVEMENT_ID = "019aa000-0000-7000-8000-000000000001"
EXAMPLE = Path(__file__).parents[3] / "examples" / "achievement.json"


@dataclass
class World:
    """The assessor, whoever feeds it, and two tenants with keys."""

    house: Running
    service: Service
    settings: AssessorSettings
    issuer: Database
    admin: asyncpg.Connection
    master_key: MasterKey
    client: httpx2.AsyncClient
    keys: dict[str, NewKey] = field(default_factory=dict)
    versions: dict[tuple[str, str], int] = field(default_factory=dict)

    async def tell(self, issuer_id: str, event: Event) -> None:
        """Append an event of the issuer and wait until it was heard."""
        place = (issuer_id, event.stream)
        version = self.versions.get(place, 0)
        async with self.issuer.session() as session:
            append = Append(issuer_id, event.stream, version, (event,), Meta("operator:cli", "of-the-test"))
            await session.append([append])
        self.versions[place] = version + 1
        await self.house.settled(WAIT_S)

    async def publish(
        self, issuer_id: str = ALPHA, achievement_id: str = ACHIEVEMENT_ID, version: int = 1, **changes: Any
    ) -> None:
        """Publish the example achievement, with changes."""
        definition = AchievementDefinition.model_validate(json.loads(EXAMPLE.read_text("utf-8")) | changes)
        await self.tell(
            issuer_id,
            AchievementPublished(
                achievement_id=achievement_id,
                version=version,
                definition=definition,
                published_at=clock.now(),
            ),
        )

    async def authorize(self, issuer_id: str, *scopes: Scope) -> NewKey:
        """Make an API key that the assessor knows."""
        made = new_key()
        await self.tell(
            issuer_id,
            ApiKeyCreated(
                prefix=made.prefix,
                sha256=made.sha256,
                label="of the test",
                scopes=tuple(scope.value for scope in scopes),
                created_at=clock.now(),
                expires_at=clock.now() + timedelta(days=1),
            ),
        )
        return made

    async def ask(self, method: str, path: str, tenant: str = ALPHA, **request: Any) -> httpx2.Response:
        """Send a request with the tenant's key."""
        headers = {"Authorization": f"Bearer {self.keys[tenant].token}"} | request.pop("headers", {})
        return await self.client.request(method, f"/assessor{path}", headers=headers, **request)

    async def submit(self, body: dict[str, Any], tenant: str = ALPHA) -> httpx2.Response:
        return await self.ask("POST", "/assessments", tenant, json=body)

    async def bulk(
        self, rows: bytes, tenant: str = ALPHA, kind: str = "application/x-ndjson"
    ) -> list[dict[str, Any]]:
        answer = await self.ask(
            "POST", "/assessments/bulk", tenant, content=rows, headers={"Content-Type": kind}
        )
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]

    async def log(self) -> list[Recorded]:
        """Return everything the assessor ever appended."""
        async with self.service.database.connection() as connection:
            return await read_after(connection, 0, 100_000)

    async def count(self, query: str, *arguments: Any) -> int:
        return int(await self.admin.fetchval(query, *arguments))


def assessment(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return the body of a submission that passes with 85.00 percent."""
    return {
        "assessment_id": f"A-{number}",
        "achievement_id": ACHIEVEMENT_ID,
        "learner": {
            "reference": f"register-of-students-{number}",
            "name": f"Zoë Ångström-{number}",
            "email": f"zoe.angstrom-{number}@example.org",
        },
        "results": {
            "question": "excellent",
            "method": "secure",
            "reproducibility": "secure",
            "communication": "excellent",
        },
        "assessor": "Dr Quirin Xylander",
        "supervision": "supervised-onsite",
        "identity_check": "photo-id",
        "evidence": [{"url": f"https://portfolio.example.org/{number}"}],
        "assessed_at": "2026-06-15T09:00:00Z",
    } | changes


@pytest.fixture
def body() -> Any:
    """Makes submissions."""
    return assessment


@pytest.fixture
async def world(roles: Any, tmp_path: Path) -> AsyncIterator[World]:
    """An assessor that knows the example achievement and a key for each tenant, with every scope it has."""
    master_key = MasterKey.create_file(tmp_path / "master.key")
    settings = AssessorSettings(
        environment="development",
        public_url="http://localhost:8080",
        master_key_file=tmp_path / "master.key",
        bus_database_url=roles.dsn("bus_reader"),
        database_url=roles.dsn("assessor"),
        requests_per_second_max=100_000,
        requests_burst_max=100_000,
    )
    admin = await asyncpg.connect(roles.admin_dsn)
    try:
        async with await Database.open(roles.dsn("issuer"), "issuer") as issuer:
            service = await build(settings)
            bus = LocalBus(await Database.open(roles.dsn("bus_reader"), "bus_reader"))
            async with (
                running([service], bus) as house,
                httpx2.AsyncClient(
                    transport=httpx2.ASGITransport(app=application(house)), base_url="http://assessor"
                ) as client,
            ):
                world = World(house, service, settings, issuer, admin, master_key, client)
                for tenant in (ALPHA, BETA):
                    await world.publish(tenant)
                    world.keys[tenant] = await world.authorize(
                        tenant, Scope.ASSESSMENTS_WRITE, Scope.ASSESSMENTS_READ, Scope.LEARNERS_ERASE
                    )
                yield world
    finally:
        await admin.close()
