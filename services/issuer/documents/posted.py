"""A posted credential as a document: what its caller wrote, untouched and first, and what we add to it.

Added are `issuer` and `validFrom` where they are missing, and the place in a status list. Never an `id`: a
credential does not need one, and VCALM asks that none be invented.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import orjson

from services.issuer.documents.addresses import Addresses, stamp
from services.issuer.documents.issuers import profile
from services.issuer.documents.status_list import status_entry
from shared.contracts.credentials import MadeProof, StatusEntry
from shared.contracts.event import Value
from shared.contracts.issuers import IssuerProfile
from shared.proofs.contexts import OPEN_BADGES_V3
from shared.proofs.strictjson import JsonObject

OPEN_BADGES = frozenset({"OpenBadgeCredential", "AchievementCredential"})
"""Types whose credentials have to fit the schema of Open Badges 3.0 as well."""


@dataclass(frozen=True, slots=True)
class Poster:
    """The issuer in whose name it is posted."""

    addresses: Addresses
    slug: str
    did: str
    profile: IssuerProfile


@dataclass(frozen=True, slots=True)
class Content:
    """What an intent seals: the credential as it was posted, and the members that were added."""

    posted: JsonObject
    added: JsonObject

    @property
    def document(self) -> JsonObject:
        """The credential without proofs."""
        return {**self.posted, **self.added}

    def to_json(self) -> bytes:
        """What is sealed."""
        return orjson.dumps({"posted": self.posted, "added": self.added})

    @classmethod
    def from_json(cls, data: bytes) -> Content:
        """What was sealed."""
        return cls(**orjson.loads(data))

    def holds(self, posted: JsonObject) -> bool:
        """Whether `posted` says the same, in whatever order its members stand."""
        return _sorted(self.posted) == _sorted(posted)


class Made(Value):
    """What a signed event seals: the proofs, and the SHA-256 (hex) of the signed document's bytes."""

    proofs: tuple[MadeProof, ...]
    document_sha256: str


def content(posted: JsonObject, poster: Poster, status: StatusEntry, at: datetime) -> Content:
    """The credential that is signed for what was `posted` at the moment `at`.

    An Open Badge needs its issuer as a Profile, any other credential as an identifier alone.
    """
    added: JsonObject = {}
    if "issuer" not in posted:
        context = posted.get("@context")
        is_badge = isinstance(context, list) and OPEN_BADGES_V3 in context
        whole = profile(poster.addresses, poster.slug, poster.did, poster.profile)
        added["issuer"] = whole if is_badge else poster.did
    if "validFrom" not in posted:
        added["validFrom"] = stamp(at)
    added["credentialStatus"] = status_entry(poster.addresses, status)
    return Content(posted, added)


def is_open_badge(document: JsonObject) -> bool:
    """Whether it calls itself an Open Badge."""
    types = document.get("type")
    return isinstance(types, list) and any(name in OPEN_BADGES for name in types if isinstance(name, str))


def _sorted(value: JsonObject) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
