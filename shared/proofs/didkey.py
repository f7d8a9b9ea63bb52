"""did:key for Ed25519 and P-256: a DID that is its own public key, so resolving it needs no network.

Refuses every other method, key type and spelling, and the keys that public_keys refuses.
"""

from __future__ import annotations

from shared.errors import Invalid
from shared.proofs import multikey
from shared.proofs.public_keys import PublicKey
from shared.proofs.strictjson import JsonObject, JsonValue

_PREFIX = "did:key:"


def did(public_key: PublicKey) -> str:
    """`did:key:z6Mk…` for an Ed25519 key, `did:key:zDn…` for P-256."""
    return _PREFIX + multikey.encode_public_key(public_key)


def is_did_key(identifier: str) -> bool:
    """Whether `identifier` claims to be a did:key, good or not."""
    return identifier.startswith(_PREFIX)


def public_key(identifier: str) -> PublicKey:
    """The key in a did:key DID, or in the DID URL of its one verification method.

    Raises `Invalid` with code `did-malformed`, `key-malformed` or `key-weak`.
    """
    name, hash_mark, fragment = identifier.partition("#")
    text = name.removeprefix(_PREFIX)
    if not is_did_key(name) or (hash_mark and fragment != text):
        raise Invalid("did-malformed", "The identifier is not a did:key.")
    return multikey.decode_public_key(text)


def verification_method_id(identifier: str) -> str:
    """The DID URL of the one key of the did:key `identifier`."""
    return f"{identifier}#{identifier.removeprefix(_PREFIX)}"


def document(identifier: str) -> JsonObject:
    """The DID document that `identifier` resolves to; `Invalid` as `public_key` raises it."""
    name = did(public_key(identifier))
    method = multikey.verification_method(name, public_key(name))
    relationships: list[JsonValue] = [method["id"]]
    return {
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
        "id": name,
        "verificationMethod": [method],
        "assertionMethod": list(relationships),
        "authentication": list(relationships),
        "capabilityInvocation": list(relationships),
        "capabilityDelegation": list(relationships),
    }
