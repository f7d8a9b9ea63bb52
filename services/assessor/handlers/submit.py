"""submit: a batch of attempts becomes events, in one transaction and a constant number of statements.

Steps 3 to 5 of docs/ISSUANCE-CYCLE.md. Locks are taken in the order of the house: the learners' rows, sorted;
then the append lock; then projections. While a learner's row is held nobody else counts an attempt of that
learner or erases them, which is a stronger promise than a lock for each achievement, and one lock less.

Each command gets an answer or an error of its own: one that is refused leaves no event. An id that comes
twice in a batch is taken in order: the second finds what the first left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import prometheus_client

from services.assessor import domain, projections
from services.assessor.domain import Assessment, Facts, SubmitAssessment
from services.assessor.handlers.known import Judged, Known, fetch, stream_of
from services.assessor.handlers.publications import Publications
from services.assessor.handlers.records import content_hmac, open_record, seal_record
from services.assessor.handlers.references import References
from services.assessor.handlers.submission import Answer, Submission, answer_from
from shared.contracts.assessments import AssessmentFailed, AssessmentPassed, AssessmentSubmitted
from shared.database import Database
from shared.errors import Conflict, Gone, Invalid, MicrocredError, Rejected
from shared.eventstore import Append, Session
from shared.vault import LearnerKeyOwner

SUBMISSIONS = prometheus_client.Counter(
    "microcred_assessor_submissions_total", "Submitted assessments by what became of them", ["outcome"]
)


class Submit:
    """Takes batches of submissions, of any tenants. `public_url` is this installation's own address."""

    def __init__(
        self,
        database: Database,
        keys: LearnerKeyOwner,
        references: References,
        public_url: str,
        publications: Publications,
    ) -> None:
        self._database = database
        self._keys = keys
        self._references = references
        self._public_url = public_url
        self._publications = publications

    async def flush(self, batch: Sequence[Submission]) -> list[Answer | MicrocredError]:
        """Take a batch in a transaction of its own; answers stand in its order, and only after the commit."""
        async with self._database.session() as session:
            answers = await self.submit(batch, session)
        for outcome, number in Counter(map(outcome_of, answers)).items():
            SUBMISSIONS.labels(outcome).inc(number)
        return answers

    async def submit(self, batch: Sequence[Submission], session: Session) -> list[Answer | MicrocredError]:
        """Decide on each submission and append what was decided. Raises StaleStream to be called again."""
        commands = [submission.command for submission in batch]
        known = await fetch(
            commands, session, self._keys, self._references, self._public_url, self._publications
        )
        answers: list[Answer | MicrocredError] = []
        appends: list[Append] = []
        for place, submission in enumerate(batch):
            try:
                answer, append = _decide(submission, place, known, session.at)
            except Rejected as refusal:
                answers.append(refusal)
                continue
            answers.append(answer)
            appends += append
        recorded = await session.append(appends)
        await projections.count_attempts(session.connection, recorded)
        return answers


def outcome_of(answer: Answer | MicrocredError) -> str:
    """Return the word under which an answer is counted."""
    match answer:
        case Answer(repeated=True):
            return "duplicate"
        case Answer(passed=passed):
            return "passed" if passed else "failed"
        case Invalid():
            return "invalid"
        case Conflict():
            return "conflict"
        case Gone():
            return "gone"
        case _:
            return "unavailable"


def _decide(
    submission: Submission, place: int, known: Known, at: datetime
) -> tuple[Answer | MicrocredError, list[Append]]:
    """Return the answer to one command and what to append for it, and note both in `known`."""
    recorded = known.states[stream_of(submission.command)].recorded
    if recorded is not None:
        return _repeat(submission.command, *recorded, known), []
    prospect = known.prospects[place]
    if not isinstance(prospect, Judged):
        return prospect, []
    return _new(submission, prospect, known, at)


def _repeat(
    command: SubmitAssessment,
    submitted: AssessmentSubmitted,
    outcome: AssessmentPassed | AssessmentFailed,
    known: Known,
) -> Answer:
    key = known.keys.get((command.issuer_id, submitted.learner_id))
    domain.decide_repeat(submitted, None if key is None else content_hmac(key, command))
    record = open_record(key, command.issuer_id, outcome)
    return answer_from(submitted, outcome, record.score_percent, repeated=True)


def _new(submission: Submission, prospect: Judged, known: Known, at: datetime) -> tuple[Answer, list[Append]]:
    command = submission.command
    issuer_id, stream = stream_of(command)
    learner_id = known.learners.get(prospect.reference)
    if learner_id is None:
        # The batch holds this id for another learner too, whose attempt was refused; nobody was mapped here.
        raise Conflict("assessment-id-twice", "This assessment id came twice at once, for two learners.")
    key = known.keys[issuer_id, learner_id]
    attempt = (issuer_id, learner_id, command.achievement_id)
    facts = Facts(
        learner_id,
        prospect.bar,
        prospect.judgement,
        known.attempts.get(attempt, 0),
        content_hmac(key, command),
        seal_record(key, command, prospect.judgement, learner_id, stream),
    )
    submitted, outcome = domain.decide_submission(command, facts, at)
    known.states[issuer_id, stream] = Assessment(submitted, outcome)
    known.attempts[attempt] = submitted.attempt
    answer = answer_from(submitted, outcome, prospect.judgement.score_percent, repeated=False)
    return answer, [Append(issuer_id, stream, 0, (submitted, outcome), submission.meta)]
