"""Resolves did:key as its suite asks (did-key-test-suite 1.0.0): a result with metadata, whatever comes.

Keys are told as Multikey, so every other format that is asked for is refused: one that is called like a
format of keys as another type than this, anything else as unknown.
"""

from __future__ import annotations

import re
from typing import Any

from shared.errors import Invalid
from shared.proofs import didkey, multikey

KEY_FORMAT = "Multikey"
_FORMAT_NAME = re.compile(r"JsonWebKey2020|[A-Za-z0-9]+(?:VerificationKey|KeyAgreementKey)20[0-9]{2}")
_CONTEXT = "https://w3id.org/did-resolution/v1"
_PREFIX = "did:key:"


def resolution(did: str, key_format: str = KEY_FORMAT) -> tuple[int, dict[str, Any]]:
    """The status and the result for a DID, or for the DID URL of its key, with keys in `key_format`."""
    error = _format_error(key_format) or _error(did)
    if error is not None:
        metadata = "didDereferencingMetadata" if error in _OF_A_KEY else "didResolutionMetadata"
        return 400, _result({}, {metadata: {"error": error}})
    name, hash_mark, _ = did.partition("#")
    document = didkey.document(name)
    if hash_mark:
        method = multikey.verification_method(name, didkey.public_key(name))
        return 200, _result(method, {"didDereferencingMetadata": {"contentType": "application/did+json"}})
    return 200, _result(document, {"didResolutionMetadata": {"contentType": "application/did+json"}})


_OF_A_KEY = frozenset({"invalidPublicKeyType", "invalidDidUrl"})


def _error(did: str) -> str | None:
    url, hash_mark, fragment = did.partition("#")
    if not url.startswith(_PREFIX):
        return "invalidDid"  # the suite asks for it, also for what is a DID of another method
    name = re.split("[/?]", url, maxsplit=1)[0]
    if name != url:
        return "invalidDidUrl"  # a did:key has neither paths nor queries
    try:
        didkey.public_key(name)
    except Invalid:
        return _fault(name.removeprefix(_PREFIX))
    return "invalidDidUrl" if hash_mark and fragment != name.removeprefix(_PREFIX) else None


def _format_error(key_format: str) -> str | None:
    if key_format == KEY_FORMAT:
        return None
    return "invalidPublicKeyType" if _FORMAT_NAME.fullmatch(key_format) else "unsupportedPublicKeyType"


def _fault(text: str) -> str:
    """What is wrong with the key in a did:key."""
    try:
        data = multikey.decode_multibase(text)
    except Invalid:
        return "invalidDid"
    return "invalidPublicKeyLength" if data[:2] in (b"\xed\x01", b"\x80\x24") else "invalidPublicKeyType"


def _result(document: Any, metadata: dict[str, Any]) -> dict[str, Any]:
    return {"@context": _CONTEXT, "didDocument": document, "didDocumentMetadata": {}, **metadata}
