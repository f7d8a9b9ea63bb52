"""The body of a submission: what a caller may send, one shape for single, NDJSON and CSV.

Refused here: unknown fields, control characters in what becomes a letter or a page, times without a zone.
Whether results fit the rubric is the domain's business.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

import pydantic
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic import StringConstraints as Constraints

from services.assessor.domain import SubmitAssessment
from shared.contracts.achievements import PartId
from shared.contracts.event import AssessmentId, Uuid
from shared.contracts.sealed import EVIDENCE_LINKS_MAX, SealedEvidence, SealedLearner
from shared.errors import Invalid
from shared.refusals import reasons_of

RESULTS_MAX = 50
POINTS_MAX = 1_000
VERSION_MAX = 2**31 - 1

Line = Annotated[
    str,
    Constraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\p{Cc}\p{Zl}\p{Zp}]*$"),
]
"""One line of text: no control characters, no line breaks."""
Prose = Annotated[
    str,
    Constraints(strip_whitespace=True, min_length=1, max_length=5_000, pattern=r"^(\P{Cc}|[\n\r\t])*$"),
]
"""Text of several lines."""
Link = Annotated[str, Constraints(pattern=r"^https?://[^\s\p{Cc}<>\"{}|\\^`]+$", max_length=2_000)]
"""A Url of the contracts, without the control characters that no signed document may hold."""
Address = Annotated[str, Constraints(pattern=r"^[^@\s\p{Cc}]+@[^@\s\p{Cc}]+$", max_length=254)]
"""An e-mail address as far as can be told without writing to it."""
RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def _instant(value: object) -> datetime:
    """Read an RFC 3339 instant into UTC milliseconds; nothing else, since numbers have no zone."""
    if isinstance(value, str) and RFC_3339.fullmatch(value):
        try:
            instant = datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValueError("there is no such moment") from None
        return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
    raise ValueError("give date, time and zone as in 2026-06-15T09:00:00Z (RFC 3339)")


def _sorted(results: dict[str, str | int]) -> dict[str, str | int]:
    return dict(sorted(results.items()))


class Part(BaseModel):
    """A part of a submission."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Learner(Part):
    """Who was assessed."""

    reference: Line | None = Field(
        default=None,
        description="Your own id of the learner. With it a learner stays the same when the e-mail changes;"
        " without it the e-mail, in lower case, is what makes two submissions the same learner's.",
    )
    name: Line = Field(description="The name that the credential will attest.")
    email: Address = Field(description="Where the learner is told of the credential.")


class Evidence(Part):
    """A link to what the learner made or did; not to an address of this installation."""

    url: Link
    name: Line | None = None
    description: Prose | None = None


class SubmissionBody(Part):
    """One attempt of one learner at one achievement, assessed against its rubric."""

    assessment_id: AssessmentId = Field(
        description="Your own id of this attempt. Sending the same again is safe: the answer is the same."
    )
    achievement_id: Uuid
    achievement_version: int | None = Field(
        default=None, ge=1, le=VERSION_MAX, description="Without it: the newest version that is known."
    )
    learner: Learner
    results: dict[PartId, Annotated[int, Field(strict=True, ge=0, le=POINTS_MAX)] | PartId] = Field(
        min_length=1,
        max_length=RESULTS_MAX,
        description="For each criterion of the rubric the id of the level reached, or points. Points between"
        " two levels count as such and show the lower level.",
    )
    assessor: Line = Field(description="The name of whoever assessed.")
    supervision: Line = Field(
        description="How the assessment was supervised, in a word: `supervised-onsite`, `supervised-online`,"
        " `proctored-online`, `unsupervised`."
    )
    identity_check: Line = Field(
        description="How the learner's identity was checked, in a word: `photo-id`, `eid`, `known-in-person`,"
        " `account`, `none`."
    )
    evidence: tuple[Evidence, ...] = Field(default=(), max_length=EVIDENCE_LINKS_MAX)
    assessed_at: Annotated[AwareDatetime, BeforeValidator(_instant)] = Field(
        description="When it was assessed: RFC 3339 with a zone, at most five minutes ahead."
    )
    narrative: Prose | None = Field(default=None, description="What the assessor says of the work.")

    _in_order = pydantic.field_validator("results")(_sorted)

    def keys(self) -> int:
        """Return how many keys of objects it was read from, where none stood there twice."""
        own = len(self.model_fields_set) + len(self.learner.model_fields_set) + len(self.results)
        return own + sum([len(each.model_fields_set) for each in self.evidence])

    def command(self, issuer_id: str) -> SubmitAssessment:
        """Return the command that this body is, for a tenant."""
        return SubmitAssessment(
            issuer_id,
            self.assessment_id,
            self.achievement_id,
            self.achievement_version,
            SealedLearner(name=self.learner.name, email=self.learner.email),
            self.learner.reference,
            self.results,
            self.assessor,
            self.supervision,
            self.identity_check,
            tuple(
                SealedEvidence(url=each.url, name=each.name, description=each.description)
                for each in self.evidence
            ),
            self.assessed_at,
            self.narrative,
            # Absent fields are left out, so that a field added later changes no earlier content.
            self.__pydantic_serializer__.to_json(self, exclude_defaults=True).decode(),
        )


def refusal_of(error: pydantic.ValidationError) -> Invalid:
    """Return what is wrong with a row, by field; never what was sent."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return Invalid("row-invalid", "The row is not an assessment.", reasons_of(faults))
