"""Two tenants with equal ids, learners and achievements: neither sees, blocks or guesses the other's."""

from __future__ import annotations

import json
from typing import Any

ALPHA, BETA = "alpha-academy", "beta-college"


async def test_equal_assessment_ids_of_two_tenants_have_nothing_to_do_with_each_other(
    world: Any, body: Any
) -> None:
    one = await world.submit(body(), ALPHA)
    two = await world.submit(body(assessor="Another assessor"), BETA)
    assert (one.status_code, two.status_code) == (201, 201)
    assert one.json()["learner_id"] != two.json()["learner_id"]
    assert (await world.ask("GET", "/assessments/A-1", ALPHA)).json()["assessor"] == "Dr Quirin Xylander"
    assert (await world.ask("GET", "/assessments/A-1", BETA)).json()["assessor"] == "Another assessor"
    hashes = await world.admin.fetch("SELECT DISTINCT reference_hmac FROM assessor.learner")
    assert len(hashes) == 2


async def test_equal_ids_in_one_batch_are_kept_apart(world: Any, body: Any) -> None:
    import asyncio

    answers = await asyncio.gather(
        *(world.submit(body(number), tenant) for number in range(10) for tenant in (ALPHA, BETA))
    )
    assert [answer.status_code for answer in answers] == [201] * 20
    assert all(answer.json()["attempt"] == 1 for answer in answers)


async def test_another_tenants_assessments_and_learners_do_not_exist(world: Any, body: Any) -> None:
    said = (await world.submit(body(), ALPHA)).json()
    unknown = await world.ask("GET", "/assessments/A-2", BETA)
    foreign = await world.ask("GET", "/assessments/A-1", BETA)
    assert unknown.status_code == foreign.status_code == 404
    assert unknown.json() == foreign.json()
    assert (
        await world.ask("GET", "/learners", BETA, params={"reference": "register-of-students-1"})
    ).status_code == 404
    assert (await world.ask("DELETE", f"/learners/{said['learner_id']}", BETA)).status_code == 404
    assert (await world.ask("GET", "/assessments/A-1", ALPHA)).status_code == 200


async def test_one_tenants_erasure_leaves_the_others_learner(world: Any, body: Any) -> None:
    one = (await world.submit(body(), ALPHA)).json()
    await world.submit(body(), BETA)
    assert (await world.ask("DELETE", f"/learners/{one['learner_id']}", ALPHA)).status_code == 204
    assert (await world.ask("GET", "/assessments/A-1", ALPHA)).status_code == 410
    assert (await world.ask("GET", "/assessments/A-1", BETA)).status_code == 200
    assert (await world.submit(body(), BETA)).status_code == 200


async def test_an_achievement_of_one_tenant_is_unknown_to_the_other(world: Any, body: Any) -> None:
    mine = "01890000-0000-7000-8000-000000000001"
    await world.publish(ALPHA, achievement_id=mine)
    assert (await world.submit(body(achievement_id=mine), ALPHA)).status_code == 201
    assert (await world.submit(body(achievement_id=mine), BETA)).status_code == 422


async def test_attempts_of_equal_references_are_counted_apart(world: Any, body: Any) -> None:
    learner = body()["learner"]
    for number in (1, 2, 3):
        await world.submit(body(number, learner=learner), ALPHA)
    assert (await world.submit(body(4, learner=learner), ALPHA)).status_code == 409
    assert (await world.submit(body(4, learner=learner), BETA)).json()["attempt"] == 1
    lines = await world.bulk(json.dumps(body(5, learner=learner)).encode(), BETA)
    assert lines[0]["outcome"] == "passed"
