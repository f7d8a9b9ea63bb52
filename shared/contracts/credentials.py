"""credential.issued, .signed and .revoked: a credential's life.

`credential.issued` is the intent, stored before a private key is touched: it pins everything that decides the
signed bytes (versions, context digests, key, proof ids, times, status entry, sealed holes), so that signing
again after a crash gives the same bytes. Documents themselves are never stored: they are rendered from the
pinned versions and the holes, and `document_sha256` shows any drift.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from shared.contracts.event import AssessmentId, Event, Instant, Topic, Uuid, Value
from shared.contracts.topics import CREDENTIALS


class PinnedContext(Value):
    """A JSON-LD context by address and by the SHA-256 (hex) of the bytes that were used."""

    url: str
    sha256: str


class PlannedProof(Value):
    """A proof that will be made: its id (`urn:uuid:…`) and its cryptosuite."""

    id: str
    cryptosuite: str


class MadeProof(Value):
    """A proof that was made: the multibase `proofValue` belongs to the planned proof with the same id."""

    id: str
    cryptosuite: str
    proof_value: str


class StatusEntry(Value):
    """The bit that this credential's revocation sets: `index` counts from 0 in list `list_id`."""

    list_id: Uuid
    index: int = Field(ge=0)


class _Credential(Event):
    TOPIC: ClassVar[Topic] = CREDENTIALS
    STREAM: ClassVar[str] = "credential"

    credential_id: Uuid

    @property
    def aggregate_id(self) -> str:
        return self.credential_id


class CredentialIssued(_Credential):
    """The decision to issue, complete to the byte. `sealed` holds what is personal, for this stream."""

    TYPE: ClassVar[str] = "credential.issued.v1"

    assessment_id: AssessmentId
    learner_id: Uuid
    achievement_id: Uuid
    achievement_version: int = Field(ge=1)
    profile_version: int = Field(ge=1)
    renderer: int = Field(ge=1)
    contexts: tuple[PinnedContext, ...]
    proofs: tuple[PlannedProof, ...] = Field(min_length=1)
    key_id: str
    status: StatusEntry
    created: Instant
    valid_from: Instant
    valid_until: Instant | None = None
    awarded_at: Instant
    supersedes: Uuid | None = None
    sealed: str


class CredentialSigned(_Credential):
    """The credential exists: its proofs, and the SHA-256 (hex) of the signed document's JSON bytes.

    `contact` is the learner's name and e-mail, sealed for this stream: what the announcement needs.
    """

    TYPE: ClassVar[str] = "credential.signed.v1"

    learner_id: Uuid
    achievement_id: Uuid
    achievement_version: int = Field(ge=1)
    achievement_name: str
    issuer_name: str
    key_id: str
    proofs: tuple[MadeProof, ...] = Field(min_length=1)
    document_sha256: str
    signed_at: Instant
    contact: str


RevocationReason = Literal[
    "issued-in-error",
    "assessment-invalidated",
    "misconduct",
    "superseded",
    "key-compromise",
    "learner-request",
]


class CredentialRevoked(_Credential):
    """Withdrawn for good. The bit in the status list follows."""

    TYPE: ClassVar[str] = "credential.revoked.v1"

    learner_id: Uuid
    reason: RevocationReason
    status: StatusEntry
    revoked_at: Instant
