"""What goes into the Batcher and what comes out of it."""

from __future__ import annotations

from typing import NamedTuple

from services.assessor.domain import SubmitAssessment
from shared.contracts.assessments import AssessmentFailed, AssessmentPassed, AssessmentSubmitted
from shared.eventstore import Meta


class Submission(NamedTuple):
    """A command with who caused it."""

    command: SubmitAssessment
    meta: Meta


class Answer(NamedTuple):
    """What a submitter is told. `repeated`: it was recorded before, and this is the same answer again."""

    assessment_id: str
    passed: bool
    score_percent: str
    achievement_id: str
    achievement_version: int
    learner_id: str
    attempt: int
    repeated: bool


def answer_from(
    submitted: AssessmentSubmitted,
    outcome: AssessmentPassed | AssessmentFailed,
    score_percent: str,
    repeated: bool,
) -> Answer:
    """Return the answer that two recorded facts amount to."""
    return Answer(
        submitted.assessment_id,
        isinstance(outcome, AssessmentPassed),
        score_percent,
        submitted.achievement_id,
        submitted.achievement_version,
        submitted.learner_id,
        submitted.attempt,
        repeated,
    )
