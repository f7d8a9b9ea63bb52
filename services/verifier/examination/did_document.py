"""Reads a DID document (Controlled Identifiers 1.0 §2) for the public keys that it publishes.

A key is written as a Multikey (§2.2.2) or as a JsonWebKey (§2.2.3). Strict where it matters: a method counts
for the controller that it names, and only for what the document lists it for. Methods of other kinds are
passed over, since a document may hold keys of any kind; so are those whose dates cannot be read, and those
that tell the secret half of a key.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.verifier.domain.facts import KeyFacts
from services.verifier.examination.sources import Method
from shared.errors import Invalid
from shared.proofs import datetimes, jwk, multikey, strictjson
from shared.proofs.public_keys import PublicKey
from shared.proofs.several import many
from shared.proofs.strictjson import JsonObject, JsonValue


def read_did_document(data: bytes) -> tuple[str, Sequence[Method]]:
    """The DID that the document describes, and its methods.

    Raises Invalid('did-document-malformed') if it is not the document of a DID.
    """
    try:
        document = strictjson.loads(data)
    except Invalid as cause:
        raise _malformed(cause.message) from cause
    did = document.get("id") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(did, str) or not did.startswith("did:"):
        raise _malformed("It has no id that is a DID.")
    asserted, authenticated = many(document.get("assertionMethod")), many(document.get("authentication"))
    asserting = {_method_id(each, did) for each in asserted}
    authenticating = {_method_id(each, did) for each in authenticated}
    written = (*many(document.get("verificationMethod")), *asserted, *authenticated)
    methods = [_method(each, did, asserting, authenticating) for each in written]
    return did, [method for method in methods if method is not None]


def _method(
    entry: JsonValue, did: str, asserting: set[str | None], authenticating: set[str | None]
) -> Method | None:
    """A method written out, by itself or within a relationship; None if it is of no use."""
    identifier = _method_id(entry, did)
    if not isinstance(entry, dict) or identifier is None:
        return None
    controller = entry.get("controller")
    if not isinstance(controller, str):
        return None
    try:
        public_key = _public_key(entry)
        ends = [_moment(entry, member) for member in ("expires", "revoked") if member in entry]
    except Invalid:
        return None
    facts = KeyFacts(
        controller,
        asserts=identifier in asserting,
        ends_at=min(ends, default=None),
        authenticates=identifier in authenticating,
    )
    return Method(identifier, public_key, facts)


def _public_key(method: JsonObject) -> PublicKey:
    """The key; `Invalid` for one that is malformed, weak, secret or of another kind."""
    if method.get("type") == "Multikey":
        key = method.get("publicKeyMultibase")
        return multikey.decode_public_key(key if isinstance(key, str) else "")
    if method.get("type") == "JsonWebKey":
        return jwk.decode(method.get("publicKeyJwk"))
    raise _malformed("A method is of another kind.")


def _method_id(entry: JsonValue, did: str) -> str | None:
    """The full DID URL of a method that is given by its id, full or relative, or as an object with one."""
    identifier = entry.get("id") if isinstance(entry, dict) else entry
    if not isinstance(identifier, str):
        return None
    return did + identifier if identifier.startswith("#") else identifier


def _moment(entry: JsonObject, member: str) -> datetime:
    text = entry[member]
    moment = datetimes.parse(text) if isinstance(text, str) else None
    if moment is None:
        raise _malformed(f"The {member} of a method is not a date and time with a time zone.")
    return moment


def _malformed(reason: str) -> Invalid:
    return Invalid("did-document-malformed", "The file is not the document of a DID.", (reason,))
