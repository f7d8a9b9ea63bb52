"""assessment.submitted, .passed and .failed: an attempt and its outcome against the rubric.

`sealed` is the attempt's record (learner's name and e-mail, results, score, evidence, assessor, supervision,
identity check) under the learner's own key, for the stream of this assessment. `content_hmac` is keyed with
the learner's key too: it tells a repeated submission from a changed one and is worthless after erasure.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from shared.contracts.event import AssessmentId, Event, Instant, KeptEvent, PublishedEvent, Topic, Uuid
from shared.contracts.topics import ASSESSMENTS


class _Attempt(Event):
    STREAM: ClassVar[str] = "assessment"

    assessment_id: AssessmentId
    learner_id: Uuid
    achievement_id: Uuid
    achievement_version: int = Field(ge=1)

    @property
    def aggregate_id(self) -> str:
        return self.assessment_id


class AssessmentSubmitted(_Attempt, KeptEvent):
    """An attempt was handed in: the learner's `attempt`-th (from 1) at this achievement."""

    TYPE: ClassVar[str] = "assessment.submitted.v1"
    KEPT_BY: ClassVar[str] = "assessor"

    attempt: int = Field(ge=1)
    content_hmac: str
    submitted_at: Instant


class _Outcome(_Attempt, PublishedEvent):
    TOPIC: ClassVar[Topic] = ASSESSMENTS

    assessed_at: Instant
    sealed: str


class AssessmentPassed(_Outcome):
    """The attempt met the pass mark. This triggers issuance."""

    TYPE: ClassVar[str] = "assessment.passed.v1"


class AssessmentFailed(_Outcome):
    """The attempt stayed below the pass mark."""

    TYPE: ClassVar[str] = "assessment.failed.v1"
