"""Signed tokens: what Wycheproof labels, what a header may say, and how small a change is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.errors import Invalid
from shared.proofs import base64url, jwk, jws
from shared.proofs.public_keys import KeyKind
from tests.signing import KeyPair

WYCHEPROOF = Path(__file__).parents[2] / "vectors" / "wycheproof"
SECRET = {"d", "p", "q", "dp", "dq", "qi"}
PAYLOAD: Any = {"name": "Field measurements"}


def accepted(token: str, key: object) -> bool:
    try:
        return jws.verify(jws.parse(token), jwk.decode(key))
    except Invalid:
        return False


def wycheproof(name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    data = json.loads((WYCHEPROOF / name).read_bytes())
    return [(group, test) for group in data["testGroups"] for test in group["tests"]]


def public_half(key: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in key.items() if name not in SECRET}


def is_used_here(key: dict[str, Any]) -> bool:
    return (key.get("kty"), key.get("alg")) in {("RSA", "RS256"), ("EC", "ES256")}


def test_the_wycheproof_tokens_are_judged_as_labelled_and_those_of_other_algorithms_refused() -> None:
    judged, labelled, for_us = [], [], 0
    for group, test in wycheproof("json_web_signature_test.json"):
        key = public_half(group.get("public") or group["private"])
        for_us += is_used_here(key)
        token = test["jws"] if isinstance(test["jws"], str) else json.dumps(test["jws"])
        judged.append((test["tcId"], accepted(token, key)))
        labelled.append((test["tcId"], test["result"] == "valid" and is_used_here(key)))
    assert judged == labelled
    assert (len(judged), for_us) == (401, 272)


def test_the_wycheproof_keys_are_judged_as_labelled_and_those_of_other_kinds_refused() -> None:
    judged, labelled = [], []
    for group, test in wycheproof("json_web_key_test.json"):
        keys = (group.get("public") or group["private"])["keys"]
        kid = json.loads(base64url.decode(test["jws"].partition(".")[0])).get("kid")
        named = [public_half(key) for key in keys if key.get("kid") == kid]
        judged.append((test["tcId"], any(accepted(test["jws"], key) for key in named)))
        labelled.append((test["tcId"], test["result"] == "valid" and any(map(is_used_here, named))))
    assert judged == labelled
    assert len(judged) == 26


def signed(kind: KeyKind, header: dict[str, Any] | None = None, **members: Any) -> str:
    pair = KeyPair(1, kind)
    whole = {"alg": jws.algorithm_of(kind), "kid": "did:example:1#k"} | (header or {}) | members
    signed_bytes = jws.signing_input({k: v for k, v in whole.items() if v is not None}, PAYLOAD)
    return jws.compact(signed_bytes, pair.sign([signed_bytes])[0])


@pytest.mark.parametrize("kind", KeyKind)
def test_a_token_verifies_with_its_key_and_with_no_other(kind: KeyKind) -> None:
    token = jws.parse(signed(kind))
    assert jws.verify(token, KeyPair(1, kind).public_key)
    for other in KeyKind:
        if other is not kind:
            assert not jws.verify(token, KeyPair(1, other).public_key)
            assert not jws.verify(token, KeyPair(2, other).public_key)


def test_both_names_of_the_algorithm_of_ed25519_are_known() -> None:
    for name in ("EdDSA", "Ed25519"):
        assert jws.verify(jws.parse(signed(KeyKind.ED25519, alg=name)), KeyPair(1).public_key)


@pytest.mark.parametrize(
    "algorithm",
    ["PS256", "RS512", "ES384", "ES256K", "Ed448", "ML-DSA-65"],
)
def test_an_algorithm_that_no_key_here_has_is_not_supported(algorithm: str) -> None:
    with pytest.raises(Invalid, match="token-unsupported"):
        jws.parse(signed(KeyKind.P256, alg=algorithm))


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "HS384", "HS512", "", None, 5, ["ES256"]])
def test_what_is_no_signature_is_refused_for_good(algorithm: Any) -> None:
    with pytest.raises(Invalid, match="token-malformed"):
        jws.parse(signed(KeyKind.P256, alg=algorithm))


@pytest.mark.parametrize("named", ["EdDSA", "ES256", "RS256"])
@pytest.mark.parametrize("kind", KeyKind)
def test_the_key_and_not_the_header_says_which_algorithm_is_used(kind: KeyKind, named: str) -> None:
    token = jws.parse(signed(kind, alg=named))
    assert jws.verify(token, KeyPair(1, kind).public_key) == (named == jws.algorithm_of(kind))


SURPRISES: dict[str, Any] = {
    "jku": "https://attacker.example/keys",
    "x5u": "https://attacker.example/certificate",
    "x5c": ["MIIB"],
    "x5t": "AA",
    "x5t#S256": "AA",
    "crit": ["exp"],
    "b64": False,
    "zip": "DEF",
    "enc": "A256GCM",
}


@pytest.mark.parametrize(("member", "value"), SURPRISES.items(), ids=SURPRISES.keys())
def test_a_header_that_asks_for_more_than_a_signature_is_refused(member: str, value: Any) -> None:
    with pytest.raises(Invalid, match="token-unsupported"):
        jws.parse(signed(KeyKind.ED25519, {member: value}))


def test_a_member_that_is_not_known_is_signed_and_passed_over() -> None:
    token = jws.parse(signed(KeyKind.ED25519, {"iss": "did:example:1"}))
    assert jws.verify(token, KeyPair(1).public_key)


def with_header(text: str) -> str:
    token = signed(KeyKind.ED25519)
    return ".".join([base64url.encode(text.encode()), *token.split(".")[1:]])


MALFORMED = {
    "two parts": signed(KeyKind.ED25519).rpartition(".")[0],
    "four parts": signed(KeyKind.ED25519) + ".AA",
    "nothing": "",
    "padding": signed(KeyKind.ED25519) + "=",
    "a line feed": signed(KeyKind.ED25519) + "\n",
    "a space before": " " + signed(KeyKind.ED25519),
    "a header that is a list": with_header("[]"),
    "an algorithm named twice": with_header('{"alg":"EdDSA","alg":"EdDSA"}'),
    "a header with a byte order mark": with_header('\ufeff{"alg":"EdDSA"}'),
    "a key id that is a number": with_header('{"alg":"EdDSA","kid":5}'),
    "a type that is null": with_header('{"alg":"EdDSA","typ":null}'),
    "a key that is a string": with_header('{"alg":"EdDSA","jwk":"x"}'),
    "a header that is too long": with_header(json.dumps({"alg": "EdDSA", "kid": "x" * 5_000})),
    "a token that is too long": "A" * 400_000,
    "JSON serialisation": json.dumps({"payload": "", "signatures": []}),
    "detached content": signed(KeyKind.ED25519).replace(signed(KeyKind.ED25519).split(".")[1], "", 1),
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_not_one_token_is_refused(text: str) -> None:
    assert not accepted(text, jwk.encode(KeyPair(1).public_key))


def test_a_token_may_bring_its_key_which_is_read_strictly() -> None:
    key = KeyPair(3).public_key
    assert jws.parse(signed(KeyKind.ED25519, {"jwk": jwk.encode(key)})).embedded_key() == key
    with pytest.raises(Invalid, match="key-malformed"):
        jws.parse(signed(KeyKind.ED25519, {"jwk": {**jwk.encode(key), "d": "AA"}}))


def test_a_payload_of_the_largest_size_is_read() -> None:
    pair, payload = KeyPair(1), {"name": "x" * 255_900}
    signed_bytes = jws.signing_input({"alg": "EdDSA"}, payload)
    token = jws.parse(jws.compact(signed_bytes, pair.sign([signed_bytes])[0]))
    assert jws.verify(token, pair.public_key)
