"""JSON Web Keys: good ones come back, and every odd one is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Invalid
from shared.proofs import base64url, jwk
from shared.proofs.public_keys import KeyKind
from tests.signing import KeyPair

GOOD: dict[KeyKind, dict[str, Any]] = {kind: jwk.encode(KeyPair(1, kind).public_key) for kind in KeyKind}


@pytest.mark.parametrize("kind", KeyKind)
def test_a_key_comes_back_from_its_jwk_with_or_without_its_use(kind: KeyKind) -> None:
    key = KeyPair(1, kind).public_key
    assert jwk.decode(GOOD[kind]) == key
    for algorithm in jwk.algorithms(kind):
        said = {"use": "sig", "key_ops": ["verify"], "alg": algorithm, "kid": "1", "x5t": "not looked at"}
        assert jwk.decode(GOOD[kind] | said) == key


ODD: dict[str, tuple[KeyKind, dict[str, Any]]] = {
    "the secret half": (KeyKind.ED25519, {"d": "AA"}),
    "a prime": (KeyKind.RSA, {"p": "AA"}),
    "a symmetric key": (KeyKind.ED25519, {"kty": "oct", "k": "AA"}),
    "for encryption": (KeyKind.RSA, {"use": "enc"}),
    "a use of null": (KeyKind.RSA, {"use": None}),
    "for signing alone": (KeyKind.P256, {"key_ops": ["sign"]}),
    "operations that are a word": (KeyKind.P256, {"key_ops": "verify"}),
    "one operation twice": (KeyKind.P256, {"key_ops": ["verify", "verify"]}),
    "for another hash": (KeyKind.RSA, {"alg": "RS512"}),
    "for PSS": (KeyKind.RSA, {"alg": "PS256"}),
    "for HMAC": (KeyKind.RSA, {"alg": "HS256"}),
    "for nothing": (KeyKind.RSA, {"alg": "none"}),
    "another curve": (KeyKind.P256, {"crv": "secp256k1"}),
    "no curve": (KeyKind.P256, {"crv": None}),
    "a curve for RSA": (KeyKind.RSA, {"crv": "P-256"}),
    "Ed448": (KeyKind.ED25519, {"crv": "Ed448"}),
    "padding": (KeyKind.ED25519, {"x": str(GOOD[KeyKind.ED25519]["x"]) + "="}),
    "a space": (KeyKind.ED25519, {"x": str(GOOD[KeyKind.ED25519]["x"]) + " "}),
    "a number": (KeyKind.ED25519, {"x": 5}),
    "no coordinate": (KeyKind.P256, {"y": None}),
    "another point's coordinate": (KeyKind.P256, {"y": jwk.encode(KeyPair(9, KeyKind.P256).public_key)["y"]}),
    "a short coordinate": (KeyKind.P256, {"x": base64url.encode(bytes(31))}),
    "the point at infinity": (KeyKind.P256, dict.fromkeys("xy", base64url.encode(bytes(32)))),
    "a coordinate beyond the field": (KeyKind.P256, {"x": base64url.encode(b"\xff" * 32)}),
    "a modulus with a leading zero": (
        KeyKind.RSA,
        {"n": base64url.encode(b"\0" + base64url.decode(str(GOOD[KeyKind.RSA]["n"])))},
    ),
    "an exponent of nothing": (KeyKind.RSA, {"e": ""}),
    "an exponent of one": (KeyKind.RSA, {"e": "AQ"}),
    "an exponent of three": (KeyKind.RSA, {"e": "Aw"}),
    "an even modulus": (
        KeyKind.RSA,
        {"n": base64url.encode(base64url.decode(str(GOOD[KeyKind.RSA]["n"]))[:-1] + b"\0")},
    ),
    "a modulus of a megabyte": (KeyKind.RSA, {"n": base64url.encode(b"\x01" * 1_000_000)}),
}


@pytest.mark.parametrize(("kind", "change"), ODD.values(), ids=ODD.keys())
def test_an_odd_jwk_is_refused(kind: KeyKind, change: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="key-malformed"):
        jwk.decode(GOOD[kind] | change)


@pytest.mark.parametrize("value", [None, [], "key", 5, {}])
def test_what_is_no_jwk_is_refused(value: Any) -> None:
    with pytest.raises(Invalid, match="key-malformed"):
        jwk.decode(value)


def test_the_small_order_keys_are_weak_as_a_jwk_too() -> None:
    with pytest.raises(Invalid, match="key-weak"):
        jwk.decode({"kty": "OKP", "crv": "Ed25519", "x": base64url.encode((1).to_bytes(32, "little"))})


@given(st.binary(max_size=100))
def test_bytes_come_back_from_base64url(data: bytes) -> None:
    assert base64url.decode(base64url.encode(data)) == data


@given(st.text(alphabet="AZaz09-_+/= \n.é", max_size=12))
def test_no_bytes_have_two_spellings_in_base64url(text: str) -> None:
    try:
        data = base64url.decode(text)
    except Invalid:
        return
    assert base64url.encode(data) == text
