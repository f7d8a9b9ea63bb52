"""The JSON-LD contexts this software knows, as pinned bytes; there are no others and there is no network.

A context decides what a signed word means, and publishers change contexts under an unchanged URL. So each
is kept beside this file, named with its source and SHA-256 in manifest.json, and the digest is checked when
the module is loaded: altered bytes stop the program. A URL outside the set is refused, by code
`context-unknown`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from shared.errors import Invalid
from shared.proofs import pinned
from shared.proofs.strictjson import JsonObject

CREDENTIALS_V1 = "https://www.w3.org/2018/credentials/v1"
CREDENTIALS_V2 = "https://www.w3.org/ns/credentials/v2"
OPEN_BADGES_V3 = "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"


@dataclass(frozen=True)
class ContextSet:
    """An allow-list: URL → the parsed context document, its bytes, and the SHA-256 (hex) of those."""

    documents: Mapping[str, JsonObject]
    data: Mapping[str, bytes]
    digests: Mapping[str, str]

    def document(self, url: str) -> JsonObject:
        """The context behind `url`; `Invalid` with code `context-unknown` if it is not in the set."""
        try:
            return self.documents[url]
        except KeyError as cause:
            raise Invalid(
                "context-unknown", "The document uses a JSON-LD context that is not on the list."
            ) from cause

    def digest(self, url: str) -> str:
        """SHA-256 (hex) of the pinned bytes behind `url`, as an issued event records it."""
        self.document(url)
        return self.digests[url]

    def with_context(self, url: str, data: bytes) -> ContextSet:
        """This set and one more context, given as its bytes."""
        return ContextSet(
            {**self.documents, url: pinned.parsed(data)},
            {**self.data, url: data},
            {**self.digests, url: hashlib.sha256(data).hexdigest()},
        )


def digest(url: str) -> str:
    """SHA-256 (hex) of the pinned context behind `url`."""
    return PINNED.digest(url)


def _load() -> ContextSet:
    loaded = ContextSet({}, {}, {})
    for url, data in pinned.files(resources.files(__name__)):
        loaded = loaded.with_context(url, data)
    return loaded


PINNED = _load()
