"""Digests of related resources (VC Data Model 2.0 §5.3): what a credential says of files that it points to.

A digest is Subresource Integrity text (`sha384-…`, several of them separated by spaces) or a multihash as
multibase text (`uEi…`). Where the file is one that is pinned here, its bytes have to have the digest: a
credential that was made for another context than the verifier reads it with means something else. Other files
are not fetched, and their digests only have to be some.

Refuses entries without an id or a digest, two entries with one id, and digests that no file can have.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator

from shared.errors import Invalid
from shared.proofs import base64url, multikey
from shared.proofs.contexts import PINNED, ContextSet
from shared.proofs.jsonld_safety import is_absolute_iri
from shared.proofs.strictjson import JsonObject, JsonValue

RESOURCES_MAX = 64

_SRI_BYTES = {"sha256": 32, "sha384": 48, "sha512": 64}
_MULTIHASHES = {b"\x12\x20": "sha256", b"\x20\x30": "sha384", b"\x13\x40": "sha512"}
_DIGEST_CHARS_MAX = 1_024


def problems(resources: JsonValue, contexts: ContextSet = PINNED) -> Iterator[str]:
    """A sentence for each broken rule of a `relatedResource`."""
    entries = resources if isinstance(resources, list) else [resources]
    if len(entries) > RESOURCES_MAX:
        yield f"$.relatedResource: must have at most {RESOURCES_MAX} entries"
        return
    seen: set[str] = set()
    for entry in entries:
        identifier = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(identifier, str) or not is_absolute_iri(identifier):
            yield "$.relatedResource: must be an object with an id that is a URL"
            continue
        if identifier in seen:
            yield "$.relatedResource: two entries have one id"
        seen.add(identifier)
        yield from _digest_problems(entry, contexts.data.get(identifier))


def _digest_problems(entry: JsonObject, data: bytes | None) -> Iterator[str]:
    readers = {"digestSRI": _sri, "digestMultibase": _multibase}
    given = {member: read for member, read in readers.items() if member in entry}
    if not given:
        yield "$.relatedResource: must have digestSRI or digestMultibase"
    for member, read in given.items():
        digests = read(entry[member])
        if not digests:
            yield f"$.relatedResource.{member}: must be a digest by SHA-256, SHA-384 or SHA-512"
        elif data is not None and not any(_matches(data, *digest) for digest in digests):
            yield f"$.relatedResource.{member}: is not the digest of the resource"


def _matches(data: bytes, algorithm: str, digest: bytes) -> bool:
    return hashlib.new(algorithm, data).digest() == digest


def _sri(value: JsonValue) -> list[tuple[str, bytes]]:
    """Subresource Integrity §3.5: the digests of the strongest algorithm named; none if one is malformed."""
    if not isinstance(value, str) or len(value) > _DIGEST_CHARS_MAX:
        return []
    found = []
    for token in value.split():
        algorithm, _, text = token.partition("-")
        try:
            digest = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            return []
        if len(digest) != _SRI_BYTES.get(algorithm):
            return []
        found.append((algorithm, digest))
    strongest = max((algorithm for algorithm, _ in found), key=lambda name: _SRI_BYTES[name], default="")
    return [(algorithm, digest) for algorithm, digest in found if algorithm == strongest]


def _multibase(value: JsonValue) -> list[tuple[str, bytes]]:
    """Controlled Identifiers 1.0 §2.5: a multihash as base64url or base58btc."""
    if not isinstance(value, str) or len(value) > _DIGEST_CHARS_MAX:
        return []
    try:
        data = base64url.decode(value[1:]) if value.startswith("u") else multikey.decode_multibase(value)
    except Invalid:
        return []
    algorithm = _MULTIHASHES.get(data[:2])
    if algorithm is None or len(data) != 2 + _SRI_BYTES[algorithm]:
        return []
    return [(algorithm, data[2:])]
