"""Single submissions over HTTP: outcomes, repeats, attempts, and what is refused."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from services.assessor.api import examples
from services.assessor.api.submission import SubmissionBody
from services.assessor.handlers.publications import Publications
from services.assessor.handlers.references import References
from services.assessor.handlers.submission import Answer, Submission
from services.assessor.handlers.submit import Submit
from shared import clock
from shared.access import Scope
from shared.bus.consumer import LaneLag
from shared.contracts.assessments import AssessmentFailed, AssessmentPassed, AssessmentSubmitted
from shared.contracts.sealed import SealedAssessment, decode
from shared.eventstore import Meta
from shared.sealing import open_sealed
from shared.vault import LearnerKeyOwner, LearnerKeys

ALPHA, BETA = "alpha-academy", "beta-college"
FAILING = {"question": "developing", "method": "missing", "reproducibility": 0, "communication": 1}


async def test_a_passed_assessment_is_two_events_and_an_answer(world: Any, body: Any) -> None:
    answer = await world.submit(body())
    assert answer.status_code == 201, answer.text
    said = answer.json()
    assert (said["outcome"], said["score_percent"], said["attempt"]) == ("passed", "87.50", 1)
    submitted, passed = await world.log()
    assert isinstance(submitted.event, AssessmentSubmitted)
    assert isinstance(passed.event, AssessmentPassed)
    assert submitted.issuer_id == passed.issuer_id == ALPHA
    assert submitted.meta.actor == f"api-key:{world.keys[ALPHA].prefix}"
    assert submitted.meta.correlation == answer.headers["X-Correlation-Id"]
    assert submitted.event.learner_id == passed.event.learner_id == said["learner_id"]


async def test_a_traceparent_travels_with_the_events(world: Any, body: Any) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    await world.ask("POST", "/assessments", json=body(), headers={"traceparent": trace})
    assert {recorded.meta.traceparent for recorded in await world.log()} == {trace}


async def test_the_sealed_record_opens_with_the_key_in_the_vault(world: Any, body: Any, roles: Any) -> None:
    from shared.database import Database

    said = (await world.submit(body())).json()
    passed = (await world.log())[1].event
    async with await Database.open(roles.dsn("vault_reader"), "vault") as vault:
        learner = (ALPHA, said["learner_id"])
        keys = await LearnerKeys(vault, world.master_key).of([learner])
    opened = open_sealed(
        keys[learner],
        passed.sealed,
        issuer_id=ALPHA,
        learner_id=said["learner_id"],
        stream="assessment-A-1",
    )
    record = decode(SealedAssessment, opened)
    assert record.learner.name == "Zoë Ångström-1"
    assert record.assessor == "Dr Quirin Xylander"
    assert record.score_percent == "87.50"
    assert [result.criterion_id for result in record.results] == [
        "question",
        "method",
        "reproducibility",
        "communication",
    ]


async def test_a_failed_assessment_says_so(world: Any, body: Any) -> None:
    answer = await world.submit(body(results=FAILING))
    assert answer.status_code == 201
    assert answer.json()["outcome"] == "failed"
    assert isinstance((await world.log())[1].event, AssessmentFailed)


async def test_the_same_content_gets_the_same_answer_and_no_event(world: Any, body: Any) -> None:
    first = await world.submit(body())
    again = await world.submit(body())
    assert again.status_code == 200
    assert again.json() == first.json()
    assert len(await world.log()) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"results": FAILING},
        {"assessor": "Dr Other"},
        {
            "learner": {
                "reference": "register-of-students-2",
                "name": "Zoë Ångström-1",
                "email": "zoe.angstrom-1@example.org",
            }
        },
        {
            "learner": {
                "reference": "register-of-students-1",
                "name": "Zoë Angstrom-1",
                "email": "zoe.angstrom-1@example.org",
            }
        },
        {"assessed_at": "2026-06-15T09:00:00.001Z"},
    ],
)
async def test_other_content_under_a_recorded_id_is_a_conflict(world: Any, body: Any, changes: Any) -> None:
    await world.submit(body())
    answer = await world.submit(body(**changes))
    assert answer.status_code == 409
    assert answer.json()["code"] == "assessment-exists"
    assert len(await world.log()) == 2
    assert await world.count("SELECT count(*) FROM assessor.learner") == 1


async def test_the_same_learner_keeps_one_id_and_counts_attempts(world: Any, body: Any) -> None:
    learner = body()["learner"]
    answers = [await world.submit(body(number, learner=learner)) for number in (1, 2, 3)]
    assert [answer.json()["attempt"] for answer in answers] == [1, 2, 3]
    assert len({answer.json()["learner_id"] for answer in answers}) == 1
    refused = await world.submit(body(4, learner=learner))
    assert refused.status_code == 409
    assert refused.json()["code"] == "attempts-used-up"
    assert (await world.submit(body(1, learner=learner))).status_code == 200


async def test_a_learner_without_reference_is_known_by_the_email_in_any_case(world: Any, body: Any) -> None:
    one = await world.submit(body(1, learner={"name": "A", "email": "Same@Example.org"}))
    two = await world.submit(body(2, learner={"name": "A", "email": "same@example.ORG"}))
    other = await world.submit(
        body(3, learner={"reference": "same@example.org", "name": "A", "email": "same@example.org"})
    )
    assert one.json()["learner_id"] == two.json()["learner_id"] != other.json()["learner_id"]
    found = await world.ask("GET", "/learners", params={"email": "SAME@example.org"})
    assert found.json() == {"learner_id": one.json()["learner_id"]}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"results": {"question": "excellent"}}, "method: missing"),
        ({"results": examples.LEVELS["results"] | {"style": "good"}}, "style: the rubric has no such"),
        ({"results": examples.LEVELS["results"] | {"method": "brilliant"}}, "method: no such level"),
        ({"results": examples.LEVELS["results"] | {"method": 5}}, "method: no such level"),
    ],
)
async def test_results_that_do_not_fit_the_rubric_are_refused_with_reasons(
    world: Any, body: Any, changes: Any, reason: str
) -> None:
    answer = await world.submit(body(**changes))
    assert answer.status_code == 422
    assert answer.json()["code"] == "results-invalid"
    assert any(told.startswith(reason) for told in answer.json()["reasons"])
    assert await world.log() == []
    assert await world.count("SELECT count(*) FROM assessor.learner") == 0


async def test_an_unknown_achievement_is_refused_unless_its_id_was_made_a_moment_ago(
    world: Any, body: Any
) -> None:
    old = await world.submit(body(achievement_id="01890000-0000-7000-8000-000000000001"))
    assert (old.status_code, old.json()["code"]) == (422, "achievement-unknown")
    fresh = await world.submit(body(achievement_id=str(clock.ordered_uuid())))
    assert fresh.status_code == 503
    assert int(fresh.headers["Retry-After"]) >= 1
    for version in (2, 3):
        ahead = await world.submit(body(achievement_version=version))
        assert (ahead.status_code, ahead.json()["code"]) == (422, "achievement-unknown")


async def test_what_is_published_between_the_look_and_the_question_is_known(world: Any, body: Any) -> None:
    lag = LaneLag()

    async def waiting() -> int:
        await world.publish(version=2)
        return 0

    lag.bind(waiting)
    keys, references = LearnerKeyOwner(world.master_key), References(world.master_key)
    submit = Submit(world.service.database, keys, references, world.settings.public_url, Publications(lag))
    command = SubmissionBody.model_validate(body(achievement_version=2)).command(ALPHA)
    [answer] = await submit.flush([Submission(command, Meta("api-key:of-test", "of-the-test"))])
    assert isinstance(answer, Answer)
    assert answer.achievement_version == 2


async def test_the_newest_version_decides_unless_another_is_named(world: Any, body: Any) -> None:
    rubric = {
        "criteria": [
            {
                "id": "all",
                "name": "All",
                "weight": 1,
                "levels": [
                    {"id": "no", "name": "No", "points": 0},
                    {"id": "yes", "name": "Yes", "points": 1},
                ],
            }
        ],
        "pass_mark_percent": 50,
    }
    await world.publish(version=2, rubric=rubric)
    newest = await world.submit(body(1, results={"all": "yes"}))
    assert (newest.status_code, newest.json()["achievement_version"]) == (201, 2)
    pinned = await world.submit(body(2, achievement_version=1))
    assert (pinned.status_code, pinned.json()["achievement_version"]) == (201, 1)
    assert (await world.submit(body(3))).status_code == 422


async def test_the_future_is_refused_beyond_the_difference_of_clocks(world: Any, body: Any) -> None:
    soon, later = clock.now() + timedelta(minutes=4), clock.now() + timedelta(minutes=6)
    assert (await world.submit(body(1, assessed_at=soon.isoformat()))).status_code == 201
    refused = await world.submit(body(2, assessed_at=later.isoformat()))
    assert (refused.status_code, refused.json()["code"]) == (422, "assessed-in-future")


async def test_an_assessment_can_be_read_back(world: Any, body: Any) -> None:
    said = (await world.submit(body())).json()
    shown = (await world.ask("GET", "/assessments/A-1")).json()
    assert said.items() <= shown.items()
    assert shown["learner"] == {"name": "Zoë Ångström-1", "email": "zoe.angstrom-1@example.org"}
    assert shown["evidence"][0]["url"] == "https://portfolio.example.org/1"
    assert (await world.ask("GET", "/assessments/A-2")).status_code == 404


async def test_the_worked_examples_work_when_pasted(world: Any) -> None:
    for example in examples.SINGLE.values():
        answer = await world.submit(example["value"])
        assert answer.status_code == 201, answer.text
    for text, kind in ((examples.NDJSON, "application/x-ndjson"), (examples.CSV, "text/csv")):
        lines = await world.bulk(text.encode(), kind=kind)
        assert [line["outcome"] for line in lines] == ["passed"]


async def test_each_address_demands_its_own_scope(world: Any, body: Any) -> None:
    world.keys["writer"] = await world.authorize(ALPHA, Scope.ASSESSMENTS_WRITE)
    learner_id = (await world.submit(body(), "writer")).json()["learner_id"]
    assert (await world.ask("GET", "/assessments/A-1", "writer")).status_code == 403
    assert (
        await world.ask("GET", "/learners", "writer", params={"reference": "register-of-students-1"})
    ).status_code == 403
    assert (await world.ask("DELETE", f"/learners/{learner_id}", "writer")).status_code == 403
    world.keys["reader"] = await world.authorize(ALPHA, Scope.ASSESSMENTS_READ)
    assert (await world.submit(body(2), "reader")).status_code == 403
    assert (await world.ask("POST", "/assessments/bulk", "reader", content=b"")).status_code == 403
    naked = await world.client.post("/assessor/assessments", json=body(3))
    assert naked.status_code == 401


async def test_outcomes_are_counted_and_metrics_name_nobody(world: Any, body: Any) -> None:
    async def counted() -> tuple[float, ...]:
        text = (await world.client.get("/metrics")).text
        assert "Ångström" not in text
        assert "example.org" not in text
        lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        name = 'microcred_assessor_submissions_total{outcome="%s"}'
        outcomes = ("passed", "failed", "duplicate", "conflict", "invalid")
        return tuple(float(lines.get(name % outcome, 0)) for outcome in outcomes)

    before = await counted()
    for changes in ({}, {}, {"assessor": "Other"}, {"assessment_id": "A-2", "results": FAILING}):
        await world.submit(body(1, **changes))
    await world.submit(body(3, results={"method": 1}))
    assert [now - then for now, then in zip(await counted(), before, strict=True)] == [1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/x-ndjson"),
        (b"\n\n", "text/csv"),
        (examples.CSV.encode().partition(b"\n")[0], "text/csv"),
    ],
)
async def test_a_bulk_body_without_a_row_is_refused(world: Any, body: bytes | str, kind: str) -> None:
    answer = await world.ask("POST", "/assessments/bulk", content=body, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["code"]) == (422, "body-empty")


async def test_evidence_at_an_address_of_this_installation_is_refused_by_its_place(
    world: Any, body: Any
) -> None:
    """The credential names these addresses itself, and would never be signed."""
    own = world.settings.public_url
    links = [own, "https://portfolio.example.org/1", f"{own}/achievements/x/1", f"{own}#a", f"{own}?b"]
    evidence = [{"url": link} for link in links]
    refused = await world.submit(body(evidence=evidence))
    assert (refused.status_code, refused.json()["code"]) == (422, "evidence-refused")
    assert refused.json()["reasons"] == [
        f"evidence.{place}.url is an address of this installation" for place in (0, 2, 3, 4)
    ]
    assert own not in refused.text
    assert await world.log() == []
    rows = [json.dumps(body(1, evidence=evidence)), json.dumps(body(2))]
    first, second = await world.bulk("\n".join(rows).encode())
    assert (first["outcome"], first["problem"]["code"]) == ("rejected", "evidence-refused")
    assert second["outcome"] == "passed"
    nearby = await world.submit(body(3, evidence=[{"url": f"{own}0/achievements"}]))
    assert nearby.status_code == 201
