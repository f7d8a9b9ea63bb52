"""Tokens, both ways: jose (npm) and joserfc's own signing and defaults, a hundred for every algorithm."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
from joserfc import jws as joserfc_jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from shared.proofs import base64url, jwk, jws, vc_jwt
from shared.proofs.public_keys import KeyKind
from shared.proofs.vc_jwt import Form
from tests.interop.conftest import Peer
from tests.shapes import shapes
from tests.signing import KeyPair

ROUNDS = 5
FORMS = [
    (Form.CREDENTIAL, KeyKind.ED25519),
    (Form.CREDENTIAL, KeyKind.P256),
    (Form.OPEN_BADGE, KeyKind.P256),
    (Form.OPEN_BADGE, KeyKind.RSA),
]
METHOD = "https://badges.example/issuers/north#key"
ISSUER = "https://badges.example/issuers/north"


def documents(form: Form) -> list[dict[str, Any]]:
    """A hundred; those of the Open Badges form have one subject with an id, as it asks for."""
    found = []
    for number in range(ROUNDS):
        for document in shapes(ISSUER).values():
            numbered = {**document, "id": f"{ISSUER}/{number}"}
            if form is Form.OPEN_BADGE and not isinstance(document["credentialSubject"], dict):
                numbered["credentialSubject"] = document["credentialSubject"][0]
            found.append(numbered)
    return found


def token(document: dict[str, Any], form: Form, kind: KeyKind) -> str:
    pair = KeyPair(1, kind)
    signed = vc_jwt.to_sign(document, form, pair.public_key, METHOD)
    return jws.compact(signed, pair.sign([signed])[0])


def altered(text: str) -> str:
    header, payload, signature = text.split(".")
    other = base64url.encode(base64url.decode(payload).replace(b"2026", b"2025", 1))
    return f"{header}.{other}.{signature}"


@pytest.mark.node
@pytest.mark.parametrize(("form", "kind"), FORMS)
def test_a_hundred_of_our_tokens_verify_at_jose_and_altered_ones_do_not(
    peer: Peer, form: Form, kind: KeyKind
) -> None:
    key = jwk.encode(KeyPair(1, kind).public_key) | {"alg": jws.algorithm_of(kind)}
    tokens = [token(document, form, kind) for document in documents(form)]
    assert [peer.ask("joseVerify", token=text, jwk=key) for text in tokens] == ["verified"] * 100
    assert "verified" not in [peer.ask("joseVerify", token=altered(text), jwk=key) for text in tokens]


@pytest.mark.node
@pytest.mark.parametrize(("form", "kind"), FORMS)
def test_a_hundred_tokens_of_jose_verify_here_and_altered_ones_do_not(
    peer: Peer, form: Form, kind: KeyKind
) -> None:
    for document in documents(form):
        signed = vc_jwt.to_sign(document, form, KeyPair(1, kind).public_key, METHOD).decode()
        header, payload = (json.loads(base64url.decode(part)) for part in signed.split("."))
        theirs = peer.ask("joseIssue", algorithm=header.pop("alg"), header=header, payload=payload)
        read = vc_jwt.read(theirs["token"])
        key = jwk.decode(theirs["jwk"])
        assert jws.verify(read.token, key)
        assert read.document == document
        assert not jws.verify(jws.parse(altered(theirs["token"])), key)


@pytest.mark.parametrize(("form", "kind"), FORMS)
def test_a_hundred_tokens_go_both_ways_with_joserfc(form: Form, kind: KeyKind) -> None:
    algorithm = jws.algorithm_of(kind)
    key: Any = {KeyKind.ED25519: OKPKey, KeyKind.P256: ECKey, KeyKind.RSA: RSAKey}[kind]
    own = key.generate_key({KeyKind.ED25519: "Ed25519", KeyKind.P256: "P-256", KeyKind.RSA: 2048}[kind])
    ours = key.import_key(jwk.encode(KeyPair(1, kind).public_key))
    registry = joserfc_jws.JWSRegistry(algorithms=[algorithm])
    registry.max_header_length = 1_024  # twice the default: that of Open Badges' RS256 holds the key
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the older name of Ed25519
        for document in documents(form):
            text = token(document, form, kind)
            assert joserfc_jws.deserialize_compact(text, ours, registry=registry).payload
            with pytest.raises(JoseError):
                joserfc_jws.deserialize_compact(altered(text), ours, registry=registry)
            header = {"alg": algorithm, "typ": form.value, "kid": METHOD}
            payload = base64url.decode(text.split(".")[1])
            theirs = joserfc_jws.serialize_compact(header, payload, own, [algorithm])
            read = vc_jwt.read(theirs)
            assert jws.verify(read.token, jwk.decode(own.as_dict(private=False)))
            assert read.document == document
