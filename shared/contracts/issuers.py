"""Tenants: their public profile, their public keys, and the hashes of the API keys that act for them."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from shared.contracts.achievements import LongText, Text, Url
from shared.contracts.event import Instant, PublishedEvent, Slug, Topic, Value
from shared.contracts.topics import ISSUERS

KeyRetirement = Literal["superseded", "compromised"]
"""Why a signing key ends: another took its place, or somebody else may have it."""


class IssuerProfile(Value):
    """How an issuer presents itself (Open Badges 3.0, class Profile)."""

    name: Text
    url: Url
    email: str | None = Field(default=None, pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)
    description: LongText | None = None
    country: str | None = Field(default=None, pattern=r"^[A-Z]{2}$")


class IssuerPublished(PublishedEvent):
    """A tenant exists, or shows a new version of its profile. The slug is the tenant id and never changes."""

    TYPE: ClassVar[str] = "issuer.published.v1"
    TOPIC: ClassVar[Topic] = ISSUERS
    STREAM: ClassVar[str] = "issuer"

    slug: Slug
    did: str
    profile_version: int = Field(ge=1)
    profile: IssuerProfile
    published_at: Instant

    @property
    def aggregate_id(self) -> str:
        return self.slug


class IssuerKeyPublished(PublishedEvent):
    """A public key that signs for the tenant: `key_id` is the full DID URL of its verification method.

    `public_key_multibase` is a Multikey, or for RSA, which has none, its multicodec (rsa-pub) in multibase;
    its letters tell the kind. It is listed from `published_at` on, and signs nothing before `valid_from`:
    whoever keeps a copy of the DID document has the key in it by then. Without `published_at` both are one
    moment.
    """

    TYPE: ClassVar[str] = "issuer.key-published.v1"
    TOPIC: ClassVar[Topic] = ISSUERS
    STREAM: ClassVar[str] = "issuer-key"

    did: str
    key_id: str
    public_key_multibase: str
    valid_from: Instant
    published_at: Instant | None = None

    @property
    def aggregate_id(self) -> str:
        return self.key_id.partition("#")[2]


class IssuerKeyRetired(PublishedEvent):
    """A key signs no more: what it signed before `ends_at` stays good, and nothing signed since is.

    A superseded key ends when it is retired and stays listed. A compromised one ended at the moment from
    which somebody else may have had it, and is no longer listed for assertions. Of two ends the later event
    counts: it never moves the end of a compromised key to a later moment.
    """

    TYPE: ClassVar[str] = "issuer.key-retired.v1"
    TOPIC: ClassVar[Topic] = ISSUERS
    STREAM: ClassVar[str] = "issuer-key"

    did: str
    key_id: str
    public_key_multibase: str
    reason: KeyRetirement
    ends_at: Instant
    retired_at: Instant

    @property
    def aggregate_id(self) -> str:
        return self.key_id.partition("#")[2]


class ApiKeyCreated(PublishedEvent):
    """An API key may act for the tenant. Only its SHA-256 (hex) is known to anyone but its holder."""

    TYPE: ClassVar[str] = "api-key.created.v1"
    TOPIC: ClassVar[Topic] = ISSUERS
    STREAM: ClassVar[str] = "api-key"

    prefix: str = Field(pattern=r"^[0-9a-z]{8}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    label: str = Field(max_length=100)
    scopes: tuple[str, ...]
    created_at: Instant
    expires_at: Instant

    @property
    def aggregate_id(self) -> str:
        return self.prefix


class ApiKeyRevoked(PublishedEvent):
    """An API key stopped acting for the tenant; every service refuses it within 5 s."""

    TYPE: ClassVar[str] = "api-key.revoked.v1"
    TOPIC: ClassVar[Topic] = ISSUERS
    STREAM: ClassVar[str] = "api-key"

    prefix: str = Field(pattern=r"^[0-9a-z]{8}$")
    revoked_at: Instant

    @property
    def aggregate_id(self) -> str:
        return self.prefix
