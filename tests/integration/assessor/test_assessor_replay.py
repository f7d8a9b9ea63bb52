"""A replay gives the same read models as living through it did, and touches no truth."""

from __future__ import annotations

from typing import Any

from services.assessor.replay import replay

ALPHA, BETA = "alpha-academy", "beta-college"
TABLES = ("assessor.attempt", "assessor.achievement", "assessor.api_key")
TRUTH = ("assessor.learner", "vault.learner_key", "assessor.event")


async def rows(world: Any, tables: tuple[str, ...]) -> dict[str, list[str]]:
    return {
        table: [row[0] for row in await world.admin.fetch(f"SELECT t::text FROM {table} t ORDER BY 1")]
        for table in tables
    }


async def test_a_replay_gives_what_living_through_it_gave(world: Any, body: Any) -> None:
    learner = body()["learner"]
    for number in (1, 2):
        await world.submit(body(number, learner=learner))
    erased = (await world.submit(body(3))).json()
    await world.submit(body(4), BETA)
    await world.ask("DELETE", f"/learners/{erased['learner_id']}")
    lived, truth = await rows(world, TABLES), await rows(world, TRUTH)
    await world.admin.execute("UPDATE assessor.attempt SET taken = 99")
    await world.admin.execute("DELETE FROM assessor.achievement WHERE issuer_id = $1", ALPHA)
    said = await replay(world.settings)
    assert said == "assessor: attempts, achievements and API keys rebuilt from 9 events."
    assert await rows(world, TABLES) == lived
    assert await rows(world, TRUTH) == truth
    assert (await world.submit(body(5, learner=learner))).json()["attempt"] == 3
