"""What is sealed: the record of an attempt, in assessment.passed and .failed, and a learner's contact.

The assessor writes records and shows them to their tenant, the issuer reads them and writes contacts, the
notifier reads those, each with the learner's key; nobody else ever sees them. They are contracts like the
events are: they lie in the log for ever, so only optional fields may be added. Numbers are integers or
decimal strings, never floats, since what is signed later must not depend on how a float prints.

Structs of msgspec and not models: what a caller sends is judged at the door, and what opens under a learner's
key was written here. A credential takes a dozen of them, written and read (docs/adr/0012-libraries.md).
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from shared.errors import Invalid

EVIDENCE_LINKS_MAX = 20

Count = Annotated[int, Meta(ge=0)]


class Sealed(Struct, frozen=True, omit_defaults=True):
    """Something personal that is only ever stored sealed; unknown fields are dropped when it is read."""


class SealedLearner(Sealed, frozen=True):
    """Who was assessed, as the submitter named them."""

    name: Annotated[str, Meta(min_length=1)]
    email: Annotated[str, Meta(min_length=3)]


class SealedResult(Sealed, frozen=True):
    """One criterion's outcome: the level reached, `points` of `points_max` (the best level's), its weight."""

    criterion_id: str
    criterion_name: str
    level_id: str
    level_name: str
    points: Count
    points_max: Count
    weight: Annotated[int, Meta(ge=1)]


class SealedEvidence(Sealed, frozen=True):
    """A link to what the learner made or did (Open Badges 3.0, class Evidence)."""

    url: str
    name: str | None = None
    description: str | None = None


class SealedAssessment(Sealed, frozen=True):
    """An attempt's record. `results` follow the rubric's order; `score_percent` is cut to hundredths."""

    learner: SealedLearner
    results: Annotated[tuple[SealedResult, ...], Meta(min_length=1)]
    score_percent: str
    assessor: str
    supervision: str
    identity_check: str
    evidence: Annotated[tuple[SealedEvidence, ...], Meta(max_length=EVIDENCE_LINKS_MAX)] = ()
    narrative: str | None = None


Kind = TypeVar("Kind", bound=Sealed)


def encode(record: Sealed) -> bytes:
    """Return the record as compact JSON (UTF-8), absent optional fields left out: what is sealed."""
    return msgspec.json.encode(record)


def decode(kind: type[Kind], plaintext: bytes) -> Kind:
    """Read what was sealed. Raises Invalid('sealed-unreadable'), which names fields and never values."""
    try:
        return msgspec.json.decode(plaintext, type=kind)
    except msgspec.DecodeError as refusal:
        place = str(refusal).partition(" - at ")[2] or "`$`"
        raise Invalid("sealed-unreadable", f"What was opened is no {kind.__name__}: see {place}.") from None
