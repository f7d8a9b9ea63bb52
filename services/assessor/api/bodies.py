"""What the assessor answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from services.assessor.handlers.enquire import Recollection
from services.assessor.handlers.submission import Answer


class Reply(BaseModel):
    """An answer's shape; made of members or of an object that has them among its attributes."""

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)


class Outcome(Reply):
    """What an assessment came to."""

    assessment_id: str
    outcome: Literal["passed", "failed"]
    score_percent: str = Field(
        description="The weighted percentage with two decimals, rounded down; the exact score decides.",
        examples=["87.50"],
    )
    achievement_id: str
    achievement_version: int
    learner_id: str = Field(
        description="The learner's random id: what erasing and looking up credentials ask for."
    )
    attempt: int = Field(description="The learner's how-manieth attempt at this achievement, from 1.")

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """Return the reply for an answer; a repeat is answered as the first time."""
        return cls(**_outcome_fields(answer))


class AssessedLearner(Reply):
    """Who was assessed, as it was handed in."""

    name: str
    email: str


class CriterionResult(Reply):
    """One criterion's outcome: the level reached, `points` of `points_max` (the best level's), its weight."""

    criterion_id: str
    criterion_name: str
    level_id: str
    level_name: str
    points: int
    points_max: int
    weight: int


class EvidenceLink(Reply):
    """A link to what the learner made or did."""

    url: str
    name: str | None
    description: str | None


class RecordedAssessment(Outcome):
    """An assessment as it was handed in, and what it came to."""

    submitted_at: datetime
    assessed_at: datetime
    learner: AssessedLearner
    results: tuple[CriterionResult, ...]
    assessor: str
    supervision: str
    identity_check: str
    evidence: tuple[EvidenceLink, ...]
    narrative: str | None

    @classmethod
    def recalled(cls, recollection: Recollection) -> Self:
        """Return the reply for a recorded assessment."""
        record = recollection.record
        return cls(
            **_outcome_fields(recollection.answer),
            submitted_at=recollection.submitted_at,
            assessed_at=recollection.assessed_at,
            learner=AssessedLearner.model_validate(record.learner),
            results=tuple(CriterionResult.model_validate(each) for each in record.results),
            assessor=record.assessor,
            supervision=record.supervision,
            identity_check=record.identity_check,
            evidence=tuple(EvidenceLink.model_validate(each) for each in record.evidence),
            narrative=record.narrative,
        )


class LearnerFound(Reply):
    """Which learner a reference or an e-mail stands for."""

    learner_id: str


class BulkResult(Reply):
    """One line of the answer to a bulk submission."""

    line: int = Field(description="The row's line in what was sent, from 1; a CSV header is line 1.")
    assessment_id: str | None = Field(default=None, description="Absent where the row could not be read.")
    outcome: Literal["passed", "failed", "duplicate", "rejected"]
    score_percent: str | None = Field(default=None, description="Absent for a rejected row.")
    problem: dict[str, Any] | None = Field(
        default=None,
        description="Why a row was rejected, as a problem document (RFC 9457). A status of 503 or 429 says:"
        " send this row again.",
    )


def _outcome_fields(answer: Answer) -> dict[str, Any]:
    return {
        "assessment_id": answer.assessment_id,
        "outcome": "passed" if answer.passed else "failed",
        "score_percent": answer.score_percent,
        "achievement_id": answer.achievement_id,
        "achievement_version": answer.achievement_version,
        "learner_id": answer.learner_id,
        "attempt": answer.attempt,
    }
