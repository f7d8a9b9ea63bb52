"""credential.issued, .signed and .revoked: a credential's life.

`credential.issued` is the intent, stored before a private key is touched: it pins everything that decides the
signed bytes (versions, context digests, keys, proof ids, tokens, times, status entry, sealed holes), so that
signing again after a crash gives the same bytes. Documents themselves are never stored: they are rendered
from the pinned versions and the holes, and `document_sha256` shows any drift.
"""

from __future__ import annotations

import operator
from typing import ClassVar, Literal

from pydantic import Field

from shared.contracts.event import AssessmentId, Instant, PublishedEvent, Topic, Uuid, Value
from shared.contracts.topics import CREDENTIALS


class PinnedContext(Value):
    """A JSON-LD context by address and by the SHA-256 (hex) of the bytes that were used."""

    url: str
    sha256: str


TokenForm = Literal["vc+jwt", "ob-jwt"]
"""A token of a credential: by VC-JOSE-COSE, or as Open Badges 3.0 has it."""


class PlannedProof(Value):
    """A proof that will be made: its id (`urn:uuid:…`), its cryptosuite, and its key if not the intent's."""

    id: str
    cryptosuite: str
    key_id: str | None = None


class MadeProof(Value):
    """A proof that was made: the multibase `proofValue` belongs to the planned proof with the same id."""

    id: str
    cryptosuite: str
    proof_value: str


class PlannedToken(Value):
    """A token of the same credential that will be made, and its key if not the intent's."""

    form: TokenForm
    key_id: str | None = None


class MadeToken(Value):
    """A token that was made: its signature (base64url), and the SHA-256 (hex) of the whole."""

    form: TokenForm
    key_id: str
    signature: str
    sha256: str


class StatusEntry(Value):
    """The bit that this credential's revocation sets: `index` counts from 0 in list `list_id`."""

    list_id: Uuid
    index: int = Field(ge=0)


class _Credential(PublishedEvent):
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
    tokens: tuple[PlannedToken, ...] = Field(default=(), exclude_if=operator.not_)
    key_id: str
    status: StatusEntry
    created: Instant
    valid_from: Instant
    valid_until: Instant | None = None
    awarded_at: Instant
    supersedes: Uuid | None = None
    sealed: str

    @property
    def key_ids(self) -> set[str]:
        """Every key that its proofs and tokens need: `key_id`, but where one names another."""
        named = [proof.key_id for proof in self.proofs] + [token.key_id for token in self.tokens]
        return {key_id or self.key_id for key_id in named}


class CredentialSigned(_Credential):
    """The credential exists: its proofs and tokens, and the SHA-256 (hex) of the signed document's bytes.

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
    tokens: tuple[MadeToken, ...] = Field(default=(), exclude_if=operator.not_)
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
