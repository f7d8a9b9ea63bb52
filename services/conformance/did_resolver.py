"""Resolves did:key as the DID Resolution suites ask: a result with metadata, whatever was asked for."""

from __future__ import annotations

from typing import Any

from shared.errors import Invalid
from shared.proofs import didkey, multikey

_CONTEXT = "https://w3id.org/did-resolution/v1"
_PREFIX = "did:key:"


def resolution(did: str) -> tuple[int, dict[str, Any]]:
    """The status and the result for a DID, or for the DID URL of its key."""
    error = _error(did)
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
    name, hash_mark, fragment = did.partition("#")
    if not name.startswith("did:"):
        return "invalidDid"
    if not name.startswith(_PREFIX):
        return "methodNotSupported"
    try:
        didkey.public_key(name)
    except Invalid:
        return _fault(name.removeprefix(_PREFIX))
    return "invalidDidUrl" if hash_mark and fragment != name.removeprefix(_PREFIX) else None


def _fault(text: str) -> str:
    """What is wrong with the key in a did:key."""
    try:
        data = multikey.decode_multibase(text)
    except Invalid:
        return "invalidDid"
    return "invalidPublicKeyLength" if data[:2] in (b"\xed\x01", b"\x80\x24") else "invalidPublicKeyType"


def _result(document: Any, metadata: dict[str, Any]) -> dict[str, Any]:
    return {"@context": _CONTEXT, "didDocument": document, "didDocumentMetadata": {}, **metadata}
