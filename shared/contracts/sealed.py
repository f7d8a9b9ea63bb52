"""What the sealed hole of assessment.passed and assessment.failed holds once it is opened.

The assessor writes it, the issuer reads it, each with the learner's key; nobody else ever sees it. It is a
contract like the events are: it lies in the log for ever, so only optional fields may be added. Numbers are
integers or decimal strings, never floats, since what is signed later must not depend on how a float prints.
"""

from __future__ import annotations

from typing import Annotated

import pydantic
from pydantic import Field, StringConstraints

from shared.contracts.achievements import PartId, Url
from shared.contracts.event import Value
from shared.errors import Invalid

PersonName = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Prose = Annotated[str, StringConstraints(min_length=1, max_length=5_000, strip_whitespace=True)]
ScorePercent = Annotated[str, StringConstraints(pattern=r"^(100\.00|[0-9]{1,2}\.[0-9]{2})$")]

EVIDENCE_LINKS_MAX = 20


class SealedLearner(Value):
    """Who was assessed, as the submitter named them."""

    name: PersonName
    email: Email


class SealedResult(Value):
    """One criterion's outcome: the level reached, `points` of `points_max` (the best level's), its weight."""

    criterion_id: PartId
    criterion_name: str
    level_id: PartId
    level_name: str
    points: int = Field(ge=0)
    points_max: int = Field(ge=0)
    weight: int = Field(ge=1)


class SealedEvidence(Value):
    """A link to what the learner made or did (Open Badges 3.0, class Evidence)."""

    url: Url
    name: Label | None = None
    description: Prose | None = None


class SealedAssessment(Value):
    """An attempt's record. `results` follow the rubric's order; `score_percent` is cut to hundredths."""

    learner: SealedLearner
    results: tuple[SealedResult, ...] = Field(min_length=1)
    score_percent: ScorePercent
    assessor: Label
    supervision: Label
    identity_check: Label
    evidence: tuple[SealedEvidence, ...] = Field(default=(), max_length=EVIDENCE_LINKS_MAX)
    narrative: Prose | None = None


def encode(assessment: SealedAssessment) -> bytes:
    """Return the record as compact JSON (UTF-8), absent optional fields left out: what is sealed."""
    return assessment.__pydantic_serializer__.to_json(assessment, exclude_none=True)


def decode(plaintext: bytes) -> SealedAssessment:
    """Read what was sealed. Raises Invalid('sealed-unreadable'), which names fields and never values."""
    try:
        return SealedAssessment.model_validate_json(plaintext)
    except pydantic.ValidationError as refusal:
        paths = {".".join(str(part) for part in error["loc"]) or "body" for error in refusal.errors()}
        message = f"The opened record is not an assessment: see {', '.join(sorted(paths))}."
        raise Invalid("sealed-unreadable", message) from None
