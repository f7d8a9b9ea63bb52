"""The assessor's decisions, given–when–then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.assessor import domain
from services.assessor.domain import Assessment, Facts, SubmitAssessment
from services.assessor.handlers.records import content_hmac
from services.assessor.handlers.references import References
from services.assessor.scoring import Bar, Judgement
from shared.contracts.assessments import AssessmentFailed, AssessmentPassed, AssessmentSubmitted
from shared.contracts.learners import LearnerErased
from shared.contracts.sealed import SealedLearner
from shared.errors import Conflict, Gone, Invalid, NotFound, NotYet
from shared.sealing import MasterKey

AT = datetime(2026, 6, 15, 9, tzinfo=UTC)
ACHIEVEMENT_ID = "019aa000-0000-7000-8000-000000000001"
LEARNER_ID = "00000000-0000-4000-8000-000000000001"


def command(**changes: Any) -> SubmitAssessment:
    fields: dict[str, Any] = {
        "issuer_id": "alpha",
        "assessment_id": "A-1",
        "achievement_id": ACHIEVEMENT_ID,
        "achievement_version": None,
        "learner": SealedLearner(name="Zoë", email="zoe@example.org"),
        "learner_reference": None,
        "results": {},
        "assessor": "Dr A",
        "supervision": "supervised-onsite",
        "identity_check": "photo-id",
        "evidence": (),
        "assessed_at": AT,
        "narrative": None,
        "content": "{}",
    }
    return SubmitAssessment(**(fields | changes))


def facts(passed: bool = True, attempts_taken: int = 0) -> Facts:
    bar = Bar(ACHIEVEMENT_ID, 7, 3, 60, (), 1)
    return Facts(LEARNER_ID, bar, Judgement((), 8_000, passed), attempts_taken, "hmac", "sealed")


def test_a_submission_is_recorded_with_its_outcome_and_its_pinned_version() -> None:
    submitted, outcome = domain.decide_submission(command(), facts(), AT)
    assert isinstance(outcome, AssessmentPassed)
    assert submitted.attempt == 1
    assert (submitted.achievement_version, outcome.achievement_version) == (7, 7)
    assert outcome.sealed == "sealed"
    _, failed = domain.decide_submission(command(), facts(passed=False), AT)
    assert isinstance(failed, AssessmentFailed)


def test_the_last_allowed_attempt_is_taken_and_the_next_refused() -> None:
    submitted, _ = domain.decide_submission(command(), facts(attempts_taken=2), AT)
    assert submitted.attempt == 3
    with pytest.raises(Conflict) as refused:
        domain.decide_submission(command(), facts(attempts_taken=3), AT)
    assert refused.value.code == "attempts-used-up"


def test_a_stream_replays_to_what_was_decided() -> None:
    events = domain.decide_submission(command(), facts(), AT)
    assert domain.replay(events) == Assessment(*events)
    assert domain.replay([]).recorded is None
    assert domain.replay(events[:1]).recorded is None


def test_a_repeat_with_the_same_content_asks_for_nothing() -> None:
    submitted, _ = domain.decide_submission(command(), facts(), AT)
    assert domain.decide_repeat(submitted, "hmac") == []


def test_a_repeat_with_other_content_is_a_conflict_and_after_erasure_gone() -> None:
    submitted, _ = domain.decide_submission(command(), facts(), AT)
    with pytest.raises(Conflict):
        domain.decide_repeat(submitted, "another")
    with pytest.raises(Gone):
        domain.decide_repeat(submitted, None)


@pytest.mark.parametrize(
    ("newest", "made_at", "publications_wait", "family"),
    [
        (None, AT - timedelta(minutes=4), False, NotYet),
        (None, AT + timedelta(minutes=4), False, NotYet),
        (None, AT - timedelta(minutes=6), False, Invalid),
        (None, AT + timedelta(minutes=6), False, Invalid),
        (None, None, False, Invalid),
        (2, AT, False, Invalid),
        (None, AT - timedelta(days=400), True, NotYet),
        (None, None, True, NotYet),
        (2, AT - timedelta(days=400), True, NotYet),
    ],
)
def test_an_unknown_achievement_is_refused_for_now_or_for_good(
    newest: int | None, made_at: datetime | None, publications_wait: bool, family: type[Exception]
) -> None:
    assert type(domain.unknown_achievement(newest, made_at, publications_wait, AT)) is family


def test_the_future_begins_five_minutes_from_now() -> None:
    domain.check_time(AT + timedelta(minutes=5), AT)
    with pytest.raises(Invalid):
        domain.check_time(AT + timedelta(minutes=5, milliseconds=1), AT)


def test_a_learner_is_erased_once_and_only_if_there_is_one() -> None:
    assert domain.decide_erasure(LEARNER_ID, known=True, erased=False, at=AT) == [
        LearnerErased(learner_id=LEARNER_ID, erased_at=AT)
    ]
    assert domain.decide_erasure(LEARNER_ID, known=False, erased=True, at=AT) == []
    with pytest.raises(NotFound):
        domain.decide_erasure(LEARNER_ID, known=False, erased=False, at=AT)


def test_no_event_says_anything_personal_in_clear() -> None:
    for event in domain.decide_submission(command(), facts(), AT):
        assert b"zoe" not in event.model_dump_json().lower().encode()
        assert b"Dr A" not in event.model_dump_json().encode()
    assert AssessmentSubmitted.model_fields.keys().isdisjoint({"learner", "assessor", "results"})


def test_the_hash_of_content_depends_on_the_key_the_tenant_and_the_content() -> None:
    one, other = b"1" * 32, b"2" * 32
    hashes = {
        content_hmac(one, command()),
        content_hmac(other, command()),
        content_hmac(one, command(issuer_id="beta")),
        content_hmac(one, command(content="{} ")),
    }
    assert len(hashes) == 4
    assert content_hmac(one, command()) == content_hmac(one, command())


def test_the_hash_of_a_reference_depends_on_the_master_key_the_tenant_and_its_kind() -> None:
    one, other = References(MasterKey(b"1" * 32)), References(MasterKey(b"2" * 32))
    hashes = {
        one.of_reference("alpha", "zoe@example.org"),
        other.of_reference("alpha", "zoe@example.org"),
        one.of_reference("beta", "zoe@example.org"),
        one.of_email("alpha", "zoe@example.org"),
    }
    assert len({found[1] for found in hashes}) == 4
    assert one.of("alpha", None, "ZOE@example.org") == one.of_email("alpha", "zoe@example.org")
    assert one.of("alpha", "S-1", "zoe@example.org") == one.of_reference("alpha", "S-1")
