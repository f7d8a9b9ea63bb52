"""The doors through which a stranger's bytes come in, each a function of bytes, as fuzzers ask for.

A door either returns or refuses with `Invalid`; whatever else it raises is a bug. Each checks of what it let
in that it says the same when it is written and read again. Atheris can be pointed at any of them:
`atheris.Setup(sys.argv, DOORS["strict JSON"]); atheris.Fuzz()`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from shared.baking import png, svg
from shared.errors import Invalid
from shared.proofs import (
    base64url,
    bitstring,
    dataintegrity,
    didkey,
    didweb,
    jcs,
    jwk,
    jws,
    multikey,
    strictjson,
    vc_jwt,
    vcdm,
)
from shared.proofs.public_keys import KeyKind
from shared.proofs.suites import SUITES
from tests.signing import KeyPair

INFLATED_BYTES_MAX = 65_536
_KEYS = [KeyPair(1, kind).public_key for kind in KeyKind]


def strict_json(data: bytes) -> None:
    """Bytes to a value; what is let in has one canonical form, which reads as the same value."""
    value = strictjson.loads(data)
    assert value == json.loads(data)
    try:
        canonical = jcs.canonical_bytes(value)
    except Invalid:
        return
    assert jcs.canonical_bytes(strictjson.loads(canonical)) == canonical


def proved_document(data: bytes) -> None:
    """A credential with proofs, as far as the signatures; none holds that nobody made."""
    value = strictjson.loads(data)
    if vcdm.problems(value) or not isinstance(value, dict):
        return
    for proof in dataintegrity.parse_proofs(value):
        suite = SUITES[proof.cryptosuite]
        key = didkey.public_key(proof.verification_method)
        suite.check_signature(key, suite.hash_data(proof.document, proof.config), proof.signature)


def token(data: bytes) -> None:
    """A signed token of either form; what is let in is written in its one spelling."""
    read = vc_jwt.read(data.decode("utf-8", "replace"))
    parts = read.token.text.split(".")
    assert [base64url.encode(base64url.decode(part)) for part in parts] == parts
    for key in _KEYS:
        jws.verify(read.token, key)


def status_list(data: bytes) -> None:
    """An encodedList; what is let in is within the limits and comes back from its own spelling."""
    read = bitstring.decode(data.decode("utf-8", "replace"), INFLATED_BYTES_MAX)
    assert len(read.data) <= INFLATED_BYTES_MAX
    assert bitstring.decode(read.encode(), INFLATED_BYTES_MAX) == read


def picture(data: bytes) -> None:
    """A PNG or an SVG, which gives its credential; one that has none takes one and gives it back."""
    unbake, bake = (png.unbake, png.bake) if png.is_png(data) else (svg.unbake, svg.bake)
    try:
        unbake(data)
    except Invalid as refusal:
        if refusal.code == "image-unbaked":
            assert unbake(bake(data, '{"a": 1}')) == '{"a": 1}'
        raise


def public_key(data: bytes) -> None:
    """A key as multibase text or as a JWK; it comes back from its own spelling."""
    text = data.decode("utf-8", "replace")
    if text.startswith("z"):
        assert multikey.encode_public_key(multikey.decode_public_key(text)) == text
        return
    key = jwk.decode(strictjson.loads(data))
    assert jwk.decode(jwk.encode(key)) == key


def identifier(data: bytes) -> None:
    """A DID of either method; it has one address or one key."""
    text = data.decode("utf-8", "replace")
    if didweb.is_did_web(text):
        assert didweb.document_url(text).startswith("https://")
    else:
        assert didkey.did(didkey.public_key(text)) == text.partition("#")[0]


DOORS: Mapping[str, Callable[[bytes], None]] = {
    "strict JSON": strict_json,
    "proved document": proved_document,
    "token": token,
    "status list": status_list,
    "picture": picture,
    "public key": public_key,
    "identifier": identifier,
}


def knock(door: str, data: bytes) -> None:
    """Give `data` to a door, which may refuse it."""
    try:
        DOORS[door](data)
    except Invalid:
        return
