"""posted-credential.issued, .signed, .revoked and .forgotten: the life of a credential that a caller wrote.

It comes whole through VCALM instead of from an assessment, so it names no learner whom the vault knows. What
is in it, and what would confirm a guess of it (its proofs, the digest of its bytes), stands in `sealed`
alone, under a key of this one credential that the issuer deletes when it is to be forgotten. As with every
credential the intent is stored before a private key is touched, and is complete to the byte.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from shared.contracts.credentials import PinnedContext, PlannedProof, RevocationReason, StatusEntry
from shared.contracts.event import Instant, PublishedEvent, Topic, Uuid
from shared.contracts.topics import POSTED_CREDENTIALS


class _PostedCredential(PublishedEvent):
    TOPIC: ClassVar[Topic] = POSTED_CREDENTIALS
    STREAM: ClassVar[str] = "posted-credential"

    credential_id: Uuid

    @property
    def aggregate_id(self) -> str:
        return self.credential_id


class PostedCredentialIssued(_PostedCredential):
    """The decision to sign what was posted. `sealed` holds that, and what the issuer added to it."""

    TYPE: ClassVar[str] = "posted-credential.issued.v1"

    contexts: tuple[PinnedContext, ...]
    proofs: tuple[PlannedProof, ...] = Field(min_length=1)
    key_id: str
    status: StatusEntry
    created: Instant
    sealed: str

    @property
    def key_ids(self) -> set[str]:
        """Every key that its proofs need: `key_id`, but where one names another."""
        return {proof.key_id or self.key_id for proof in self.proofs}


class PostedCredentialSigned(_PostedCredential):
    """It exists. `sealed` holds its proofs, and the SHA-256 (hex) of the signed document's JSON bytes."""

    TYPE: ClassVar[str] = "posted-credential.signed.v1"

    key_id: str
    signed_at: Instant
    sealed: str


class PostedCredentialRevoked(_PostedCredential):
    """Withdrawn for good. The bit in the status list follows."""

    TYPE: ClassVar[str] = "posted-credential.revoked.v1"

    reason: RevocationReason
    status: StatusEntry
    revoked_at: Instant


class PostedCredentialForgotten(_PostedCredential):
    """Its key was deleted: nobody reads what is sealed any more. What was handed out keeps verifying."""

    TYPE: ClassVar[str] = "posted-credential.forgotten.v1"

    forgotten_at: Instant
