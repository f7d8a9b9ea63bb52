"""Whatever bytes come in, a door lets them in or refuses them, and never breaks."""

from __future__ import annotations

import json
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.baking import png, svg
from shared.proofs import jwk, multikey
from shared.proofs.bitstring import Bitstring
from shared.proofs.public_keys import KeyKind
from tests.mutation.entry_points import DOORS, knock
from tests.mutation.targets import TOKENS, proved, tokens
from tests.signing import ISSUER, P256_ISSUER, KeyPair
from tests.unit.baking import pictures


@cache
def seeds() -> dict[str, list[bytes]]:
    """By door, what it is for."""
    shapes = [target.text for target in proved("eddsa-jcs-2022")]
    return {
        "strict JSON": shapes,
        "proved document": shapes,
        "token": [target.text for form, kind in TOKENS for target in tokens(form, kind)[:3]],
        "status list": [Bitstring.zeros().with_bits([0, 131_071]).encode().encode()],
        "picture": [
            png.bake(pictures.PNG, '{"a": 1}'),
            svg.bake(pictures.SVG, '{"a": 1}'),
            svg.bake(pictures.SVG, "e30.e30.AA"),
        ],
        "public key": [
            *(multikey.encode_public_key(pair.public_key).encode() for pair in (ISSUER, P256_ISSUER)),
            *(json.dumps(jwk.encode(KeyPair(1, kind).public_key)).encode() for kind in KeyKind),
        ],
        "identifier": [
            ISSUER.method.encode(),
            P256_ISSUER.did.encode(),
            b"did:web:badges.example%3A8443:a:b",
        ],
    }


@st.composite
def altered(draw: st.DrawFn, good: list[bytes]) -> bytes:
    """A good text with a part cut out, doubled, moved or replaced: it gets past the first checks."""
    text = draw(st.sampled_from(good))
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    part = draw(st.sampled_from([b"", text[start:end] * 2, text[end:], text[:start]]) | st.binary(max_size=9))
    return text[:start] + part + text[end:]


@pytest.mark.parametrize("door", DOORS)
def test_a_door_lets_in_what_it_is_for(door: str) -> None:
    for seed in seeds()[door]:
        DOORS[door](seed)


@pytest.mark.parametrize("door", DOORS)
def test_a_door_does_not_break_of_anything_that_comes(door: str) -> None:
    @given(st.binary(max_size=300) | altered(seeds()[door]))
    def come(data: bytes) -> None:
        knock(door, data)

    come()
