"""An assessment's record under its learner's key: sealed when handed in, opened when asked for."""

from __future__ import annotations

from services.assessor import domain
from services.assessor.domain import SubmitAssessment
from services.assessor.scoring import Judgement
from shared.contracts import sealed
from shared.contracts.assessments import AssessmentFailed, AssessmentPassed
from shared.contracts.sealed import SealedAssessment
from shared.sealing import keyed_hash, open_sealed, seal


def content_hmac(key: bytes, command: SubmitAssessment) -> str:
    """Return what tells a repeat from a change, in hex: keyed, so that after erasure it confirms no guess."""
    return keyed_hash(key, "assessment-content", command.issuer_id, command.content).hex()


def seal_record(
    key: bytes, command: SubmitAssessment, judgement: Judgement, learner_id: str, stream: str
) -> str:
    """Return all that is personal about an attempt, sealed for its stream."""
    record = SealedAssessment(
        learner=command.learner,
        results=judgement.results,
        score_percent=judgement.score_percent,
        assessor=command.assessor,
        supervision=command.supervision,
        identity_check=command.identity_check,
        evidence=command.evidence,
        narrative=command.narrative,
    )
    return seal(key, sealed.encode(record), issuer_id=command.issuer_id, learner_id=learner_id, stream=stream)


def open_record(
    key: bytes | None, issuer_id: str, outcome: AssessmentPassed | AssessmentFailed
) -> SealedAssessment:
    """Open the record of an outcome. Raises Gone('learner-erased') where the key is gone (None)."""
    if key is None:
        raise domain.erased()
    plaintext = open_sealed(
        key, outcome.sealed, issuer_id=issuer_id, learner_id=outcome.learner_id, stream=outcome.stream
    )
    return sealed.decode(SealedAssessment, plaintext)
