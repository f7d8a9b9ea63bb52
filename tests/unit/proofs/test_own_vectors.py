"""The vectors that nobody publishes: status lists, odd JSON texts, keys of small order, a presentation."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from shared.errors import Invalid
from shared.proofs import bitstring, ed25519, jwk, multikey, strictjson
from shared.proofs.base64url import encode
from shared.proofs.public_keys import PublicKey
from shared.proofs.rdfc import Canonicaliser

OWN = Path(__file__).parents[2] / "vectors" / "own"
LISTS: dict[str, Any] = json.loads((OWN / "bitstrings.json").read_bytes())
TEXTS: dict[str, Any] = json.loads((OWN / "texts.json").read_bytes())
SMALL_ORDER: dict[str, Any] = json.loads((OWN / "small-order-keys.json").read_bytes())


@pytest.mark.parametrize("vector", LISTS.values(), ids=LISTS.keys())
def test_a_status_list_has_the_bits_that_another_program_set(vector: dict[str, Any]) -> None:
    read = bitstring.decode(vector["encodedList"])
    assert [index for index in range(len(read)) if read.get(index)] == vector["set"]
    made = bitstring.Bitstring.zeros().with_bits(vector["set"])
    assert hashlib.sha256(made.data).hexdigest() == vector["sha256"]
    assert bitstring.decode(made.encode()) == read


@pytest.mark.parametrize("vector", TEXTS.values(), ids=TEXTS.keys())
def test_an_odd_text_is_read_or_refused_by_its_code(vector: dict[str, Any]) -> None:
    data = vector["text"].encode()
    if vector["refused"] is None:
        assert strictjson.loads(data) == json.loads(data)
        return
    with pytest.raises(Invalid) as refusal:
        strictjson.loads(data)
    assert refusal.value.code == vector["refused"]


@pytest.mark.parametrize("encoded", SMALL_ORDER["publicKeys"])
def test_a_key_of_small_order_is_refused_in_every_spelling_and_verifies_nothing(encoded: str) -> None:
    point = bytes.fromhex(encoded)
    with pytest.raises(Invalid, match="key-weak"):
        PublicKey.ed25519(point)
    with pytest.raises(Invalid, match="key-weak"):
        multikey.decode_public_key(multikey.encode_multibase(b"\xed\x01" + point))
    with pytest.raises(Invalid, match="key-weak"):
        jwk.decode({"kty": "OKP", "crv": "Ed25519", "x": encode(point)})
    assert not ed25519.check_signature(point, b"any message", point + bytes(32))


def test_two_badges_of_one_learner_in_one_presentation_have_one_canonical_form() -> None:
    presentation = json.loads((OWN / "presentation.json").read_bytes())
    assert Canonicaliser().nquads(presentation) == (OWN / "presentation-canon.txt").read_text()
