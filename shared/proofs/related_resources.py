"""`relatedResource` (VC Data Model 2.0 §5.3): a digest that a credential gives of a context pinned here.

Only what is at hand can be compared, and nothing is fetched: of any other resource nothing is said. Refuses a
digest that is not that of the pinned bytes, and one in a form that cannot be read.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

from shared.errors import Invalid
from shared.proofs import base64url, contexts, multikey, pinned
from shared.proofs.strictjson import JsonValue

_SHA256_MULTIHASH = b"\x12\x20"


def problems(document: JsonValue) -> list[str]:
    """One sentence for each digest of a known resource that is wrong."""
    listed = document.get("relatedResource", []) if isinstance(document, dict) else []
    found = []
    for resource in listed if isinstance(listed, list) else [listed]:
        if not isinstance(resource, dict):
            continue
        data = _known().get(str(resource.get("id")))
        if data is not None and not _matches(resource, data):
            found.append("$.relatedResource: a digest is not that of the resource")
    return found


def _matches(resource: dict[str, JsonValue], data: bytes) -> bool:
    sri, multibase = resource.get("digestSRI"), resource.get("digestMultibase")
    return (sri is None or _is_sri(sri, data)) and (multibase is None or _is_multihash(multibase, data))


def _is_sri(text: JsonValue, data: bytes) -> bool:
    """Subresource Integrity §3.1: one hash is enough, of whichever of its three algorithms."""
    for each in str(text).split():
        algorithm, _, value = each.partition("-")
        if algorithm in ("sha256", "sha384", "sha512"):
            digest = hashlib.new(algorithm, data).digest()
            if value == base64.b64encode(digest).decode():
                return True
    return False


def _is_multihash(text: JsonValue, data: bytes) -> bool:
    """Controlled Identifiers 1.0 §2.4, §2.5: base64url or base58btc over a SHA-256 multihash."""
    text = str(text)
    try:
        found = base64url.decode(text[1:]) if text.startswith("u") else multikey.decode_multibase(text)
    except Invalid:
        return False
    return found == _SHA256_MULTIHASH + hashlib.sha256(data).digest()


@cache
def _known() -> dict[str, bytes]:
    return dict(pinned.files(resources.files(contexts)))
