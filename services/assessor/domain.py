"""The assessor's decisions: pure functions of what is known. No I/O, no clock, no dice.

An assessment is handed in once, under the caller's own id, and is passed or failed in the same breath. The
same id with the same content asks for nothing new; with other content it is a contradiction; and after its
learner was forgotten it is gone. A learner may try an achievement as often as the achievement allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from services.assessor.scoring import Bar, Judgement
from shared.contracts.assessments import AssessmentFailed, AssessmentPassed, AssessmentSubmitted
from shared.contracts.event import Event
from shared.contracts.learners import LearnerErased
from shared.contracts.sealed import SealedEvidence, SealedLearner
from shared.errors import Conflict, Gone, Invalid, NotFound, NotYet

CLOCK_SKEW_MAX = timedelta(minutes=5)
PUBLISHING_DELAY_MAX = timedelta(minutes=5)
UNKNOWN_ACHIEVEMENT_RETRY_S = 2.0


class SubmitAssessment(NamedTuple):
    """A caller hands in an attempt. `content` is all of it in canonical form, which a repeat must equal."""

    issuer_id: str
    assessment_id: str
    achievement_id: str
    achievement_version: int | None
    learner: SealedLearner
    learner_reference: str | None
    results: Mapping[str, str | int]
    assessor: str
    supervision: str
    identity_check: str
    evidence: tuple[SealedEvidence, ...]
    assessed_at: datetime
    narrative: str | None
    content: str


class Assessment(NamedTuple):
    """What is recorded under one assessment id; both events come together or not at all."""

    submitted: AssessmentSubmitted | None = None
    outcome: AssessmentPassed | AssessmentFailed | None = None

    @property
    def recorded(self) -> tuple[AssessmentSubmitted, AssessmentPassed | AssessmentFailed] | None:
        """Both facts, or None for an id that is still free."""
        if self.submitted is None or self.outcome is None:
            return None
        return self.submitted, self.outcome


class Facts(NamedTuple):
    """What a new assessment is decided on. `attempts_taken` counts the learner's earlier ones."""

    learner_id: str
    bar: Bar
    judgement: Judgement
    attempts_taken: int
    content_hmac: str
    sealed: str


def evolve(state: Assessment, event: Event) -> Assessment:
    """Return the state after one more event of its stream."""
    if isinstance(event, AssessmentSubmitted):
        return state._replace(submitted=event)
    if isinstance(event, AssessmentPassed | AssessmentFailed):
        return state._replace(outcome=event)
    return state


def replay(events: Iterable[Event]) -> Assessment:
    """Return the state that a stream's events, oldest first, amount to."""
    state = Assessment()
    for event in events:
        state = evolve(state, event)
    return state


def check_time(assessed_at: datetime, at: datetime) -> None:
    """Refuse an assessment of the future, allowing for clocks that differ by CLOCK_SKEW_MAX."""
    if assessed_at > at + CLOCK_SKEW_MAX:
        raise Invalid("assessed-in-future", "assessed_at lies in the future.")


def check_evidence(evidence: Sequence[SealedEvidence], public_url: str) -> None:
    """Refuse links to addresses of this installation, which begin with `public_url`.

    The credential names them itself (its own, the achievement's, the issuer's). An evidence's id is its link,
    and two objects of one id are not signed: what is taken here would be a credential that never comes.
    """
    own = (f"{public_url}/", f"{public_url}?", f"{public_url}#")
    reasons = tuple(
        f"evidence.{place}.url is an address of this installation"
        for place, link in enumerate(evidence)
        if link.url == public_url or link.url.startswith(own)
    )
    if reasons:
        raise Invalid("evidence-refused", "Evidence is a link to what lies elsewhere.", reasons)


def unknown_achievement(
    newest: int | None, made_at: datetime | None, may_come: bool, at: datetime
) -> Invalid | NotYet:
    """Return why an achievement or version that is not known here is refused: now, or for good.

    `newest` is the newest version known (None: none), `made_at` the moment in the achievement's UUIDv7, and
    `may_come` says that its publication may be on its way here.
    A broker may not have been given it yet: an id that was made a moment ago and of which nothing is known
    may be on its way, too. Both are NotYet, all else Invalid('achievement-unknown').
    """
    young = newest is None and made_at is not None and abs(at - made_at) <= PUBLISHING_DELAY_MAX
    if may_come or young:
        return NotYet("The achievement is not known here yet; send again.", UNKNOWN_ACHIEVEMENT_RETRY_S)
    return Invalid("achievement-unknown", "No such version of an achievement was published.")


def erased() -> Gone:
    """Return the answer to whoever asks for an assessment whose learner was forgotten."""
    return Gone("learner-erased", "The learner of this assessment was erased.")


def decide_repeat(submitted: AssessmentSubmitted, content_hmac: str | None) -> list[Event]:
    """Decide on an id that is recorded already: nothing to do where the content is the same.

    `content_hmac` is keyed with the key of the *recorded* learner; None says that this key is gone. Raises
    Gone('learner-erased') and Conflict('assessment-exists').
    """
    if content_hmac is None:
        raise erased()
    if submitted.content_hmac != content_hmac:
        raise Conflict("assessment-exists", "This assessment id is recorded with other content.")
    return []


def decide_submission(
    command: SubmitAssessment, facts: Facts, at: datetime
) -> tuple[AssessmentSubmitted, AssessmentPassed | AssessmentFailed]:
    """Decide on a new assessment: it is submitted, and passed or failed.

    Raises Conflict('attempts-used-up') when the learner has had all attempts of this achievement.
    """
    if facts.attempts_taken >= facts.bar.attempts_max:
        raise Conflict("attempts-used-up", "The learner has used up the attempts of this achievement.")
    outcome = AssessmentPassed if facts.judgement.passed else AssessmentFailed
    return (
        AssessmentSubmitted(
            assessment_id=command.assessment_id,
            learner_id=facts.learner_id,
            achievement_id=command.achievement_id,
            achievement_version=facts.bar.version,
            attempt=facts.attempts_taken + 1,
            content_hmac=facts.content_hmac,
            submitted_at=at,
        ),
        outcome(
            assessment_id=command.assessment_id,
            learner_id=facts.learner_id,
            achievement_id=command.achievement_id,
            achievement_version=facts.bar.version,
            assessed_at=command.assessed_at,
            sealed=facts.sealed,
        ),
    )


def decide_erasure(learner_id: str, known: bool, erased: bool, at: datetime) -> list[Event]:
    """Decide to forget a learner; [] where that was done already.

    Raises NotFound('learner-unknown') for an id that never was a learner of the tenant.
    """
    if erased:
        return []
    if not known:
        raise NotFound("learner-unknown", "There is no such learner.")
    return [LearnerErased(learner_id=learner_id, erased_at=at)]
