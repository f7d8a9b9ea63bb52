"""Single submissions over HTTP: outcomes, repeats, attempts, what is refused."""

from __future__ import annotations

from typing import Any

from shared.contracts.assessments import AssessmentPassed, AssessmentSubmitted

ALPHA, BETA = "alpha-academy", "beta-college"


async def test_a_passed_assessment_is_two_events_and_an_answer(world: Any, body: Any) -> None:
    answer = await world.submit(body())
    assert answer.status_code == 201, answer.text
    said = answer.json()
    assert said["outcome"] == "passed"
    assert said["score_percent"] == "87.50"
    assert said["attempt"] == 1
    submitted, passed = [recorded for recorded in await world.log()]
    assert isinstance(submitted.event, AssessmentSubmitted)
    assert isinstance(passed.event, AssessmentPassed)
    assert submitted.issuer_id == passed.issuer_id == ALPHA
    assert submitted.meta.actor == f"api-key:{world.keys[ALPHA].prefix}"
    assert submitted.meta.correlation == answer.headers["X-Correlation-Id"]
    assert submitted.event.learner_id == said["learner_id"]
