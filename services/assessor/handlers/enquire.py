"""enquire: what is recorded under an assessment id, and which learner a caller's own word stands for.

Reads the log itself: an assessment is two events, and a table of its own would say nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.assessor import domain, store
from services.assessor.handlers.records import open_record
from services.assessor.handlers.references import References
from services.assessor.handlers.submission import Answer, answer_from
from shared.contracts.assessments import AssessmentSubmitted
from shared.contracts.sealed import SealedAssessment
from shared.database import Database
from shared.errors import NotFound
from shared.eventstore import log
from shared.vault import LearnerKeyOwner


@dataclass(frozen=True, slots=True)
class Recollection:
    """An assessment as it was recorded, opened."""

    answer: Answer
    assessed_at: datetime
    submitted_at: datetime
    record: SealedAssessment


class Enquire:
    """Answers a tenant's questions about its own assessments and learners."""

    def __init__(self, database: Database, keys: LearnerKeyOwner, references: References) -> None:
        self._database = database
        self._keys = keys
        self._references = references

    async def assessment(self, issuer_id: str, assessment_id: str) -> Recollection:
        """Return an assessment. Raises NotFound('assessment-unknown') and Gone('learner-erased')."""
        stream = (issuer_id, f"{AssessmentSubmitted.STREAM}-{assessment_id}")
        async with self._database.connection() as connection:
            history = await log.load(connection, [stream])
            recorded = domain.replay(item.event for item in history[stream]).recorded
            if recorded is None:
                raise NotFound("assessment-unknown", "There is no such assessment.")
            submitted, outcome = recorded
            learner = (issuer_id, submitted.learner_id)
            keys = await self._keys.read(connection, [learner])
        record = open_record(keys.get(learner), issuer_id, outcome)
        answer = answer_from(submitted, outcome, record.score_percent, repeated=False)
        return Recollection(answer, outcome.assessed_at, submitted.submitted_at, record)

    async def learner_by_reference(self, issuer_id: str, reference: str) -> str:
        """Return the id of the learner who was submitted with `reference`. Raises NotFound."""
        return await self._learner(self._references.of_reference(issuer_id, reference))

    async def learner_by_email(self, issuer_id: str, email: str) -> str:
        """Return the id of the learner who was submitted with `email` and no reference. Raises NotFound."""
        return await self._learner(self._references.of_email(issuer_id, email))

    async def _learner(self, reference: store.Reference) -> str:
        async with self._database.connection() as connection:
            learner_id = await store.find_learner(connection, reference)
        if learner_id is None:
            raise NotFound("learner-unknown", "There is no such learner.")
        return learner_id
