"""An achievement published a moment ago is put off until it is known; one that never was is refused.

The ids are the caller's own and old: nothing in them tells when the achievement was published.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from prometheus_client import REGISTRY

from services.demo.sample import KEY_FILE, sample_achievement
from tests.integration.world.conftest import PeopledWorld

OLD_ID = "0192aaaa-0000-7000-8000-000000000001"
ROWS = 40
PUT_OFF_WAIT_S = 30
POLL_EVERY_S = 0.01


@asynccontextmanager
async def provider_of(world: PeopledWorld) -> AsyncIterator[httpx2.AsyncClient]:
    """Speak HTTP with the world's key, and see every answer as it is."""
    token = (world.installation.folder / KEY_FILE).read_text("ascii").strip()
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(
        base_url=world.installation.address, headers=headers, trust_env=False
    ) as http:
        yield http


@asynccontextmanager
async def publications_held_back(world: PeopledWorld) -> AsyncIterator[None]:
    """Keep the assessor from keeping achievements until the block ends; it reads those it has."""
    assessor = next(service for service in world.installation.house.services if service.name == "assessor")
    async with assessor.database.session() as session:
        await session.connection.execute("LOCK TABLE achievement IN SHARE ROW EXCLUSIVE MODE")
        yield


def put_off() -> float:
    """Return how many submissions were told to come again."""
    labels = {"outcome": "unavailable"}
    return REGISTRY.get_sample_value("microcred_assessor_submissions_total", labels) or 0


async def send_bulk(http: httpx2.AsyncClient, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    answer = await http.post(
        "/assessor/assessments/bulk",
        content="\n".join(json.dumps(row) for row in rows),
        headers={"Content-Type": "application/x-ndjson"},
    )
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_who_submits_at_once_after_a_publication_is_put_off_and_a_bulk_loses_no_row(
    world: PeopledWorld,
) -> None:
    definition, _ = sample_achievement()
    rows = [world.assessment(achievement_id=OLD_ID) for _ in range(ROWS)]
    single = world.assessment(achievement_id=OLD_ID)
    async with provider_of(world) as http:
        async with publications_held_back(world), asyncio.timeout(PUT_OFF_WAIT_S):
            await world.provider.publish_achievement(definition, OLD_ID)
            early = await http.post("/assessor/assessments", json=single)
            assert (early.status_code, early.headers.get("Retry-After")) == (503, "2"), early.text
            before = put_off()
            bulk = asyncio.create_task(send_bulk(http, rows))
            while put_off() < before + ROWS and not bulk.done():  # noqa: ASYNC110 - the counter tells nobody
                await asyncio.sleep(POLL_EVERY_S)
        assert [result["outcome"] for result in await bulk] == ["passed"] * ROWS
        late = await http.post("/assessor/assessments", json=single)
        assert late.status_code == 201, late.text


async def test_a_version_that_was_never_published_is_refused_and_one_just_published_is_not(
    world: PeopledWorld,
) -> None:
    definition, _ = sample_achievement()
    ahead = world.assessment(achievement_version=2)
    async with provider_of(world) as http:
        for never in (ahead, world.assessment(achievement_id=OLD_ID)):
            refused = await http.post("/assessor/assessments", json=never)
            assert (refused.status_code, refused.json()["code"]) == (422, "achievement-unknown")
        async with publications_held_back(world):
            address = f"/issuer/achievements/{world.achievement_id}/versions"
            assert (await http.post(address, json=definition | {"name": "Newer"})).status_code == 201
            assert (await http.post("/assessor/assessments", json=ahead)).status_code == 503
        await world.settled()
        taken = await http.post("/assessor/assessments", json=ahead)
        assert (taken.status_code, taken.json()["achievement_version"]) == (201, 2)
