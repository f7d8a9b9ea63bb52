"""Credentials and presentations as signed tokens, in the two forms of the field, written and read.

    vc+jwt   Securing Verifiable Credentials using JOSE and COSE 1.0 §3.1: the payload is the credential
             itself; iat, exp and the like speak of the signature. Ed25519 or ES256.
    JWT      Open Badges 3.0 §8.2.4: the payload is the credential, and iss, jti, nbf, sub and exp repeat its
             issuer, id, validity and subject. RS256 or ES256.

What a token says twice it must say alike, or two verifiers would read two credentials. Refuses another `typ`,
the older wrapping of a credential in a claim `vc` or `vp`, a claim that contradicts the credential, and an
embedded proof in a token of either form: it would be signed over, not checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import floor

from shared.errors import Invalid
from shared.proofs import datetimes, jwk, jws
from shared.proofs.contexts import CREDENTIALS_V2
from shared.proofs.jsonld_safety import is_absolute_iri
from shared.proofs.jws import Token
from shared.proofs.public_keys import KeyKind, PublicKey
from shared.proofs.strictjson import JsonObject, JsonValue

CREDENTIAL_MEDIA_TYPE = "application/vc+jwt"
PRESENTATION_MEDIA_TYPE = "application/vp+jwt"
_ENVELOPES = {
    "EnvelopedVerifiableCredential": f"data:{CREDENTIAL_MEDIA_TYPE},",
    "EnvelopedVerifiablePresentation": f"data:{PRESENTATION_MEDIA_TYPE},",
}
_CLAIMS = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "nonce", "cnf"})
_BADGE_CLAIMS_REQUIRED = ("iss", "jti", "nbf", "sub")
_NAMES = ("iss", "jti", "sub")
_NUMERIC_DATE_MAX = 253_402_300_799  # the end of the year 9999


class Form(StrEnum):
    """What `typ` calls the token; an absent one is taken for the form of Open Badges, which demands none."""

    CREDENTIAL = "vc+jwt"
    PRESENTATION = "vp+jwt"
    OPEN_BADGE = "JWT"


_MEDIA_TYPE = "application/"
_CONTENTS = {Form.CREDENTIAL: "vc", Form.PRESENTATION: "vp"}
_SIGNS: dict[Form, frozenset[KeyKind]] = {
    Form.CREDENTIAL: frozenset({KeyKind.ED25519, KeyKind.P256}),
    Form.PRESENTATION: frozenset({KeyKind.ED25519, KeyKind.P256}),
    Form.OPEN_BADGE: frozenset({KeyKind.P256, KeyKind.RSA}),
}


@dataclass(frozen=True, slots=True)
class SecuredDocument:
    """A token and the document in it; whoever verified the token goes on with `document`, never with more.

    `document` is the payload without the claims of JWT, which no context defines. `verification_method` is
    the DID URL of the key, None where the token brings its key along (`token.embedded_key`). The moments are
    those of the signature, None where the token does not tell.
    """

    form: Form
    token: Token
    document: JsonObject
    verification_method: str | None
    signed_at: datetime | None
    not_before: datetime | None
    expires: datetime | None
    audiences: tuple[str, ...]
    nonce: str | None


def read(text: str) -> SecuredDocument:
    """Read a token of either form. Raises `Invalid`: `token-*`, `json-*`, or `key-*` for a key it brings."""
    token = jws.parse(text)
    form = _form(token)
    payload = jws.json_object(token.payload, "payload")
    if {"vc", "vp", "proof"} & payload.keys():
        raise jws.malformed("its payload is not the credential itself, or carries another proof")
    document = {name: value for name, value in payload.items() if name not in _CLAIMS}
    contradiction = next(_contradictions(form, payload, document), None)
    if contradiction is not None:
        raise jws.malformed(contradiction)
    return SecuredDocument(
        form=form,
        token=token,
        document=document,
        verification_method=_verification_method(token, payload),
        signed_at=_moment(payload, "iat"),
        not_before=_moment(payload, "nbf"),
        expires=_moment(payload, "exp"),
        audiences=_audiences(payload),
        nonce=_optional_text(payload, "nonce"),
    )


def to_sign(
    document: JsonObject,
    form: Form,
    public_key: PublicKey,
    verification_method: str,
    signed_at: datetime | None = None,
) -> bytes:
    """The bytes to be signed for `document`; `jws.compact` makes the token of them and the signature.

    `verification_method` is the absolute URL of the key, `signed_at` the moment of the signature. Raises
    `Invalid`: `token-unsupported` for a key whose algorithm this form does not use, `token-malformed` for a
    document that this form cannot hold, `json-*` for what is no strict JSON.
    """
    if public_key.kind not in _SIGNS[form]:
        raise Invalid("token-unsupported", "Tokens of this form are not signed with a key of this kind.")
    if {"proof", "vc", "vp", *_CLAIMS} & document.keys():
        raise jws.malformed("the document has a proof, or a member that is a claim of JWT")
    header: JsonObject = {
        "alg": jws.algorithm_of(public_key.kind),
        "typ": form.value,
        "kid": verification_method,
    }
    payload = {**document, "iat": floor(signed_at.timestamp())} if signed_at is not None else document
    if form is Form.OPEN_BADGE:
        # Beside its name: a platform that knows no DIDs takes the key from here, and asks whose it is.
        header["jwk"] = jwk.encode(public_key)
        return jws.signing_input(header, {**payload, **_badge_claims(document)})
    header["cty"] = _CONTENTS[form]
    return jws.signing_input(header, payload)


def envelope(text: str, form: Form = Form.CREDENTIAL) -> JsonObject:
    """VC Data Model 2.0 §4.13: the object that stands for a token where JSON is expected."""
    name = f"Enveloped{'VerifiablePresentation' if form is Form.PRESENTATION else 'VerifiableCredential'}"
    return {"@context": [CREDENTIALS_V2], "id": _ENVELOPES[name] + text, "type": name}


def enveloped(document: JsonValue) -> str | None:
    """The token in an enveloped credential or presentation; None if `document` is no envelope.

    Raises `Invalid` with code `token-malformed` for an envelope of something else, or with more in it.
    """
    if not isinstance(document, dict):
        return None
    types = document.get("type")
    named = [
        name
        for name in (types if isinstance(types, list) else [types])
        if isinstance(name, str) and name in _ENVELOPES
    ]
    if not named:
        return None
    prefix, identifier = _ENVELOPES[str(named[0])], document.get("id")
    if document.keys() - {"@context", "id", "type"} or types not in (named[0], [named[0]]):
        raise jws.malformed("its envelope holds more than a token")
    if not isinstance(identifier, str) or not identifier.startswith(prefix):
        raise jws.malformed("its envelope is not a data: URL of its media type")
    return identifier.removeprefix(prefix)


def _form(token: Token) -> Form:
    """RFC 7515 §4.1.9, §4.1.10: `application/` may stand before `typ` and `cty` or be left out."""
    if token.type is None:
        return Form.OPEN_BADGE
    try:
        form = Form(token.type.removeprefix(_MEDIA_TYPE))
    except ValueError as cause:
        raise Invalid("token-unsupported", "The token is not one of a credential.") from cause
    content = token.content_type
    if form in _CONTENTS and content is not None and content.removeprefix(_MEDIA_TYPE) != _CONTENTS[form]:
        raise Invalid("token-unsupported", "The token says that it holds something else than its type does.")
    return form


def _verification_method(token: Token, payload: JsonObject) -> str | None:
    """VC-JOSE-COSE §3.3.2: `kid` is an absolute URL or relative to `iss`; else the token brings its key."""
    kid, issuer = token.key_id, _optional_text(payload, "iss")
    if kid is None:
        if "jwk" not in token.header:
            raise jws.malformed("it names no key")
        return None
    if kid.startswith("#") and issuer is not None:
        return issuer + kid
    if not is_absolute_iri(kid):
        raise jws.malformed("the name of its key is not a URL")
    return kid


def _contradictions(form: Form, payload: JsonObject, document: JsonObject) -> Iterator[str]:
    """A sentence for each claim that says something else than the document. Open Badges 3.0 demands most."""
    said = _said_by(document)
    if form is Form.OPEN_BADGE:
        repeated = list(said)
        for claim in _BADGE_CLAIMS_REQUIRED:
            if said[claim] is None:
                yield f"the credential says nothing for the claim {claim}"
    else:
        repeated = [claim for claim in _NAMES if claim in payload and (said[claim] or claim == "iss")]
    for claim in repeated:
        if not _same(payload.get(claim), said[claim]):
            yield f"its claim {claim} is not what the credential says"


def _said_by(document: JsonObject) -> dict[str, str | int | None]:
    """What the claims have to be, from the document; None where it says nothing."""
    owner = document.get("holder") if "holder" in document else document.get("issuer")
    subject = document.get("credentialSubject")
    return {
        "iss": _id_of(owner),
        "jti": _text(document.get("id")),
        "nbf": _seconds(document.get("validFrom")),
        "sub": _text(subject.get("id")) if isinstance(subject, dict) else None,
        "exp": _seconds(document.get("validUntil")),
    }


def _badge_claims(document: JsonObject) -> JsonObject:
    said = _said_by(document)
    missing = [claim for claim in ("iss", "jti", "nbf", "sub") if said[claim] is None]
    if missing:
        raise jws.malformed(f"the credential says nothing for the claim {missing[0]}")
    return {claim: value for claim, value in said.items() if value is not None}


def _same(claim: JsonValue, said: str | int | None) -> bool:
    """Equal, where a moment may carry a fraction of its second."""
    if isinstance(said, int) and isinstance(claim, (int, float)) and not isinstance(claim, bool):
        return floor(claim) == said
    return type(claim) is type(said) and claim == said


def _seconds(moment: JsonValue) -> int | None:
    parsed = datetimes.parse(moment) if isinstance(moment, str) else None
    return None if parsed is None else floor(parsed.timestamp())


def _moment(payload: JsonObject, claim: str) -> datetime | None:
    """A NumericDate (RFC 7519 §2)."""
    if claim not in payload:
        return None
    value = payload[claim]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _NUMERIC_DATE_MAX:
        raise jws.malformed(f"its claim {claim} is not a moment")
    return datetimes.from_seconds(value)


def _audiences(payload: JsonObject) -> tuple[str, ...]:
    value = payload.get("aud", [])
    audiences = value if isinstance(value, list) else [value]
    texts = tuple(audience for audience in audiences if isinstance(audience, str))
    if len(texts) != len(audiences):
        raise jws.malformed("its claim aud is not an audience")
    return texts


def _optional_text(payload: JsonObject, claim: str) -> str | None:
    if claim in payload and not isinstance(payload[claim], str):
        raise jws.malformed(f"its claim {claim} is not a string")
    return _text(payload.get(claim))


def _id_of(value: JsonValue) -> str | None:
    return _text(value.get("id") if isinstance(value, dict) else value)


def _text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) else None
