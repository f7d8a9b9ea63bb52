"""Credentials as tokens: both forms come back as they were issued, and what contradicts itself is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.errors import Invalid
from shared.proofs import base64url, jws, vc_jwt
from shared.proofs.public_keys import KeyKind
from shared.proofs.strictjson import DOCUMENT_BYTES_MAX, JsonObject
from shared.proofs.vc_jwt import Form
from tests.signing import KeyPair

FORMS = [
    (Form.CREDENTIAL, KeyKind.ED25519, "EdDSA"),
    (Form.CREDENTIAL, KeyKind.P256, "ES256"),
    (Form.OPEN_BADGE, KeyKind.P256, "ES256"),
    (Form.OPEN_BADGE, KeyKind.RSA, "RS256"),
]
METHOD = "did:web:badges.example:issuers:north#key"


def token(document: JsonObject, form: Form, kind: KeyKind) -> str:
    pair = KeyPair(1, kind)
    signed = vc_jwt.to_sign(document, form, pair.public_key, METHOD)
    return jws.compact(signed, pair.sign([signed])[0])


@pytest.mark.parametrize(("form", "kind", "algorithm"), FORMS)
def test_a_credential_comes_back_from_its_token(
    badge: JsonObject, form: Form, kind: KeyKind, algorithm: str
) -> None:
    read = vc_jwt.read(token(badge, form, kind))
    assert jws.verify(read.token, KeyPair(1, kind).public_key)
    assert (read.document, read.form, read.verification_method) == (badge, form, METHOD)
    assert read.token.header["alg"] == algorithm
    assert set(read.token.header) - {"cty", "jwk"} == {"alg", "typ", "kid"}
    # A platform of Open Badges that resolves no DID finds the key in the token.
    assert read.token.embedded_key() == (KeyPair(1, kind).public_key if form is Form.OPEN_BADGE else None)
    assert read.signed_at is None


@pytest.mark.parametrize(("form", "kind", "algorithm"), FORMS)
def test_a_token_tells_when_it_was_signed_and_is_otherwise_the_same(
    badge: JsonObject, form: Form, kind: KeyKind, algorithm: str
) -> None:
    pair, moment = KeyPair(1, kind), datetime(2026, 3, 1, 9, 30, 0, 700_000, UTC)
    signed = vc_jwt.to_sign(badge, form, pair.public_key, METHOD, moment)
    read = vc_jwt.read(jws.compact(signed, pair.sign([signed])[0]))
    assert read.signed_at == moment.replace(microsecond=0), "whole seconds, and never later than it was"
    assert read.document == badge
    assert read.token.algorithm == algorithm


def test_what_is_too_large_to_be_read_is_not_signed(badge: JsonObject) -> None:
    large = {**badge, "description": "x" * DOCUMENT_BYTES_MAX}
    with pytest.raises(Invalid, match="json-too-large"):
        vc_jwt.to_sign(large, Form.CREDENTIAL, KeyPair(1).public_key, METHOD)


def test_an_open_badge_repeats_what_the_standard_asks_for(badge: JsonObject) -> None:
    payload = json.loads(vc_jwt.read(token(badge, Form.OPEN_BADGE, KeyKind.RSA)).token.payload)
    assert {name: payload[name] for name in ("iss", "jti", "sub", "nbf", "exp")} == {
        "iss": "did:web:badges.example:issuers:north",
        "jti": "https://badges.example/credentials/5f1b1d5e",
        "sub": "did:example:learner",
        "nbf": int(datetime(2026, 3, 1, 9, 30, tzinfo=UTC).timestamp()),
        "exp": int(datetime(2031, 3, 1, 9, 30, tzinfo=UTC).timestamp()),
    }
    without_end = {name: value for name, value in badge.items() if name != "validUntil"}
    read = vc_jwt.read(token(without_end, Form.OPEN_BADGE, KeyKind.RSA))
    assert (read.document, read.expires) == (without_end, None)


@pytest.mark.parametrize(
    ("form", "kind"),
    [(Form.CREDENTIAL, KeyKind.RSA), (Form.OPEN_BADGE, KeyKind.ED25519), (Form.PRESENTATION, KeyKind.RSA)],
)
def test_a_form_is_signed_only_with_keys_that_its_readers_know(
    badge: JsonObject, form: Form, kind: KeyKind
) -> None:
    with pytest.raises(Invalid, match="token-unsupported"):
        token(badge, form, kind)


@pytest.mark.parametrize("member", ["proof", "vc", "iss", "exp"])
def test_a_document_that_says_what_only_a_token_may_say_is_not_signed(badge: JsonObject, member: str) -> None:
    with pytest.raises(Invalid, match="token-malformed"):
        token({**badge, member: "x"}, Form.CREDENTIAL, KeyKind.ED25519)


def test_an_open_badge_without_a_subjects_id_is_not_signed(badge: JsonObject) -> None:
    subject: Any = badge["credentialSubject"]
    del subject["id"]
    with pytest.raises(Invalid, match="for the claim sub"):
        token(badge, Form.OPEN_BADGE, KeyKind.RSA)


def altered(badge: JsonObject, form: Form, kind: KeyKind, header: Any, payload: Any) -> str:
    """A token signed by the issuer that says this in its header and payload; None takes a member away."""
    pair = KeyPair(1, kind)
    parts = vc_jwt.to_sign(badge, form, pair.public_key, METHOD).decode().split(".")
    values = []
    for part, change in zip(parts, (header, payload), strict=True):
        value = {**json.loads(base64url.decode(part)), **change}
        values.append(json.dumps({k: v for k, v in value.items() if v is not None}).encode())
    signed = ".".join(map(base64url.encode, values)).encode()
    return jws.compact(signed, pair.sign([signed])[0])


BADGE, JOSE = (Form.OPEN_BADGE, KeyKind.P256), (Form.CREDENTIAL, KeyKind.ED25519)
REFUSED: dict[str, tuple[tuple[Form, KeyKind], dict[str, Any], dict[str, Any], str]] = {
    "another type": (JOSE, {"typ": "at+jwt"}, {}, "token-unsupported"),
    "the type of an older draft": (JOSE, {"typ": "vc+ld+jwt"}, {}, "token-unsupported"),
    "a type in capitals": (JOSE, {"typ": "VC+JWT"}, {}, "token-unsupported"),
    "a token within the token": (JOSE, {"cty": "JWT"}, {}, "token-unsupported"),
    "a credential that calls itself a presentation": (JOSE, {"cty": "vp"}, {}, "token-unsupported"),
    "a content type that is a number": (JOSE, {"cty": 5}, {}, "token-malformed"),
    "no name of a key": (JOSE, {"kid": None}, {}, "token-malformed"),
    "a relative name without an issuer": (JOSE, {"kid": "#key"}, {}, "token-malformed"),
    "a name that is no URL": (JOSE, {"kid": "key"}, {}, "token-malformed"),
    "the credential in a claim": (JOSE, {}, {"vc": {}}, "token-malformed"),
    "a presentation in a claim": (JOSE, {}, {"vp": {}}, "token-malformed"),
    "a proof inside": (JOSE, {}, {"proof": {}}, "token-malformed"),
    "another issuer": (JOSE, {}, {"iss": "did:example:other"}, "token-malformed"),
    "an issuer that is an object": (JOSE, {}, {"iss": {"id": "did:example:other"}}, "token-malformed"),
    "another id": (JOSE, {}, {"jti": "urn:uuid:other"}, "token-malformed"),
    "another subject": (JOSE, {}, {"sub": "did:example:other"}, "token-malformed"),
    "an end that is a word": (JOSE, {}, {"exp": "tomorrow"}, "token-malformed"),
    "an end that is true": (JOSE, {}, {"exp": True}, "token-malformed"),
    "an end beyond time": (JOSE, {}, {"exp": 1e15}, "token-malformed"),
    "an audience of numbers": (JOSE, {}, {"aud": [1]}, "token-malformed"),
    "a nonce that is a number": (JOSE, {}, {"nonce": 1}, "token-malformed"),
    "a badge by another issuer": (BADGE, {}, {"iss": "did:example:other"}, "token-malformed"),
    "a badge with another start": (BADGE, {}, {"nbf": 5}, "token-malformed"),
    "a badge with another end": (BADGE, {}, {"exp": 5}, "token-malformed"),
    "a badge without its end": (BADGE, {}, {"exp": None}, "token-malformed"),
    "a badge with an end of its own": (BADGE, {}, {"validUntil": None}, "token-malformed"),
    "a badge without an issuer claim": (BADGE, {}, {"iss": None}, "token-malformed"),
    "a badge without an id claim": (BADGE, {}, {"jti": None}, "token-malformed"),
    "a badge without a start claim": (BADGE, {}, {"nbf": None}, "token-malformed"),
    "a badge without a subject claim": (BADGE, {}, {"sub": None}, "token-malformed"),
}


@pytest.mark.parametrize(("form", "header", "payload", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_a_token_that_says_two_things_is_refused(
    badge: JsonObject, form: tuple[Form, KeyKind], header: Any, payload: Any, code: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        vc_jwt.read(altered(badge, *form, header, payload))
    assert refusal.value.code == code


def test_a_token_of_vc_jose_cose_may_speak_of_its_signature(badge: JsonObject) -> None:
    claims = {"iat": 1_772_357_400, "exp": 1_772_361_000.5, "aud": "employer.example", "nonce": "9f"}
    read = vc_jwt.read(altered(badge, *JOSE, {}, claims))
    assert read.document == badge
    assert read.signed_at == datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    assert read.expires == datetime(2026, 3, 1, 10, 30, 0, 500_000, tzinfo=UTC)
    assert (read.audiences, read.nonce) == (("employer.example",), "9f")


def test_the_type_of_a_token_may_be_a_whole_media_type(badge: JsonObject) -> None:
    whole = {"typ": "application/vc+jwt", "cty": "application/vc"}
    assert vc_jwt.read(altered(badge, *JOSE, whole, {})).form is Form.CREDENTIAL
    assert vc_jwt.read(altered(badge, *JOSE, {"cty": None}, {})).form is Form.CREDENTIAL


def test_a_token_without_a_type_is_held_to_the_rules_of_open_badges(badge: JsonObject) -> None:
    assert vc_jwt.read(altered(badge, *BADGE, {"typ": None}, {})).form is Form.OPEN_BADGE
    with pytest.raises(Invalid, match="token-malformed"):
        vc_jwt.read(altered(badge, *JOSE, {"typ": None}, {}))


def test_a_key_name_may_be_relative_to_the_issuer(badge: JsonObject) -> None:
    assert vc_jwt.read(altered(badge, *BADGE, {"kid": "#key"}, {})).verification_method == METHOD


def test_an_envelope_gives_its_token_back(badge: JsonObject) -> None:
    text = token(badge, *JOSE)
    assert vc_jwt.enveloped(vc_jwt.envelope(text)) == text
    assert vc_jwt.enveloped({**vc_jwt.envelope(text), "type": ["EnvelopedVerifiableCredential"]}) == text
    presentation = vc_jwt.envelope(text, Form.PRESENTATION)
    assert str(presentation["id"]).startswith("data:application/vp+jwt,ey")
    assert vc_jwt.enveloped(presentation) == text
    assert vc_jwt.enveloped(badge) is None
    assert vc_jwt.enveloped([text]) is None


@pytest.mark.parametrize(
    "change",
    [
        {"id": "data:application/vp+jwt,ey"},
        {"id": "data:application/vc+jwt;base64,ey"},
        {"id": None},
        {"credentialSubject": {}},
        {"type": ["EnvelopedVerifiableCredential", "VerifiableCredential"]},
    ],
)
def test_an_envelope_of_something_else_is_refused(badge: JsonObject, change: Any) -> None:
    with pytest.raises(Invalid, match="token-malformed"):
        vc_jwt.enveloped({**vc_jwt.envelope(token(badge, *JOSE)), **change})
