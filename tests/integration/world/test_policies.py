"""What a provider's rules do, seen from its side: second passes, attempts, repeats, revocations, erasure."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx2

from services.demo.sample import KEY_FILE, SLUG, issuer_settings, sample_achievement
from services.issuer.handlers.api_keys import create_api_key
from services.world import DATABASE
from shared.access import Scope
from shared.clock import ordered_uuid
from shared.database import Database
from tests.integration.world.conftest import PeopledWorld

REQUEST_WAIT_S = 30
LEARNER = {"reference": "P-1", "name": "Perpetua Example", "email": "perpetua@example.org"}
HOLD_ACHIEVEMENTS = "LOCK TABLE assessor.achievement IN EXCLUSIVE MODE"


@asynccontextmanager
async def platform(world: PeopledWorld, token: str | None = None) -> AsyncIterator[httpx2.AsyncClient]:
    """Open the sample issuer's learning platform: HTTP as it is, no second tries."""
    token = token or (world.installation.folder / KEY_FILE).read_text().strip()
    async with httpx2.AsyncClient(
        base_url=world.installation.address,
        headers={"Authorization": f"Bearer {token}"},
        trust_env=False,
        timeout=REQUEST_WAIT_S,
    ) as http:
        yield http


async def publish(world: PeopledWorld, **changes: Any) -> str:
    """Publish the sample achievement with `changes`; returns its id once the assessor knows it."""
    definition, _ = sample_achievement()
    achievement_id = str(ordered_uuid())
    await world.provider.publish_achievement(definition | changes, achievement_id)
    await world.settled()
    return achievement_id


async def pass_again(world: PeopledWorld, achievement_id: str, number: int) -> list[dict[str, Any]]:
    """Have the learner pass for the `number`th time; returns the credentials of that assessment."""
    assessment_id = f"{achievement_id}-{number}"
    await world.provider.submit(
        world.assessment(assessment_id=assessment_id, achievement_id=achievement_id, learner=LEARNER)
    )
    await world.settled()
    async with platform(world) as http:
        answer = await http.get("/issuer/credentials", params={"assessment_id": assessment_id})
    found: list[dict[str, Any]] = answer.json()["credentials"]
    return found


async def verdict(world: PeopledWorld, credential: dict[str, Any]) -> str:
    """Fetch a credential as anybody and return what the verifier makes of it."""
    document = (await world.provider.fetch(credential["url"])).content
    return str((await world.provider.verify(document))["verdict"])


async def test_a_second_pass_does_what_the_achievement_says(world: PeopledWorld) -> None:
    ignore = await publish(world, on_second_pass="ignore")
    (first,) = await pass_again(world, ignore, 1)
    assert await pass_again(world, ignore, 2) == []
    assert await verdict(world, first) == "valid"
    await world.provider.revoke(first["credential_id"], "issued-in-error")
    (after,) = await pass_again(world, ignore, 3)
    assert await verdict(world, after) == "valid", "who holds nothing any more is issued to again"

    supersede = await publish(world, on_second_pass="supersede")
    (old,) = await pass_again(world, supersede, 1)
    (new,) = await pass_again(world, supersede, 2)
    assert new["supersedes"] == old["credential_id"]
    assert (await verdict(world, old), await verdict(world, new)) == ("invalid", "valid")
    superseded = await world.provider.credential_of(old["assessment_id"])
    assert (superseded["state"], superseded["revocation_reason"]) == ("revoked", "superseded")

    again = await publish(world, on_second_pass="issue-again")
    both = await pass_again(world, again, 1) + await pass_again(world, again, 2)
    assert [await verdict(world, each) for each in both] == ["valid", "valid"]
    assert [each["supersedes"] for each in both] == [None, None]


async def test_attempts_end_and_repeats_are_answered_as_the_first_time(world: PeopledWorld) -> None:
    achievement_id = await publish(world, attempts_max=2)
    attempts = [
        world.assessment(achievement_id=achievement_id, learner=LEARNER, assessment_id=f"try-{number}")
        for number in range(3)
    ]
    for attempt in attempts:
        attempt["results"] = dict.fromkeys(attempt["results"], "missing")
    async with platform(world) as http:
        first, second, third = [await http.post("/assessor/assessments", json=each) for each in attempts]
        assert [first.status_code, second.status_code] == [201, 201]
        assert [first.json()["attempt"], second.json()["attempt"]] == [1, 2]
        assert (third.status_code, third.json()["code"]) == (409, "attempts-used-up")
        repeated = await http.post("/assessor/assessments", json=attempts[0])
        assert (repeated.status_code, repeated.json()) == (200, first.json())
        changed = attempts[0] | {"assessor": "Somebody Else"}
        contradicted = await http.post("/assessor/assessments", json=changed)
        assert (contradicted.status_code, contradicted.json()["code"]) == (409, "assessment-exists")


async def test_an_achievement_that_is_not_known_yet_is_asked_for_again(world: PeopledWorld) -> None:
    definition, _ = sample_achievement()
    achievement_id = str(ordered_uuid())
    assessment = world.assessment(achievement_id=achievement_id)
    assert world.installation.cluster is not None
    lock = await asyncpg.connect(world.installation.cluster.dsn(DATABASE))
    try:
        async with platform(world) as http, lock.transaction():
            await lock.execute(HOLD_ACHIEVEMENTS)
            await world.provider.publish_achievement(definition, achievement_id)
            early = await http.post("/assessor/assessments", json=assessment)
            assert early.status_code == 503
            assert int(early.headers["Retry-After"]) >= 1
    finally:
        await lock.close()
    assert (await world.provider.submit(assessment))["outcome"] == "passed"


async def test_a_revocation_is_for_good_and_takes_a_scope_of_its_own(world: PeopledWorld) -> None:
    facts = await world.passed()
    settings = issuer_settings(world.installation.folder)
    async with await Database.open(settings.database_url.get_secret_value(), "issuer", 2) as database:
        every_other = [scope for scope in Scope if scope is not Scope.CREDENTIALS_REVOKE]
        weak = await create_api_key(database, SLUG, "", every_other, 1)
    await world.settled()
    address = f"/issuer/credentials/{facts['credential_id']}/revoke"
    async with platform(world, weak.token) as http:
        refused = await http.post(address, json={"reason": "misconduct"})
        assert (refused.status_code, refused.json()["code"]) == (403, "scope-missing")
    assert await verdict(world, facts) == "valid"
    async with platform(world) as http:
        first = await http.post(address, json={"reason": "misconduct"})
        second = await http.post(address, json={"reason": "issued-in-error"})
    assert first.status_code == second.status_code == 200
    assert second.json() == first.json()
    assert second.json()["revocation_reason"] == "misconduct"
    await world.settled()
    assert await verdict(world, facts) == "invalid"
    assert len(world.partner.deliveries) == 2, "one of the signature, one of the revocation"


async def test_an_erased_learner_who_comes_back_is_somebody_new(world: PeopledWorld) -> None:
    before = await world.passed(learner=LEARNER)
    copy = (await world.provider.fetch(before["url"])).content
    await world.provider.erase(before["learner_id"])
    await world.settled()
    async with platform(world) as http:
        assert (await http.get(before["url"])).status_code == 410
        known = await http.get(f"/issuer/credentials/{before['credential_id']}")
        assert known.json()["learner_id"] == before["learner_id"]
        repeated = await http.post(
            "/assessor/assessments",
            json=world.assessment(assessment_id=before["assessment_id"], learner=LEARNER),
        )
        assert repeated.status_code == 410
    after = await world.passed(learner=LEARNER)
    assert after["learner_id"] != before["learner_id"]
    assert after["credential_id"] != before["credential_id"]
    assert await verdict(world, after) == "valid"
    await world.provider.revoke(before["credential_id"], "learner-request")
    await world.settled()
    assert (await world.provider.verify(copy))["verdict"] == "invalid"
    assert await verdict(world, after) == "valid", "what the old one's end touches is the old one alone"
