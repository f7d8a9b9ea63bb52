"""Public keys of every kind: good ones come back, weak ones are not made, and each has one algorithm."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Invalid
from shared.proofs import didkey, multikey
from shared.proofs.public_keys import KeyKind, PublicKey
from tests.signing import KeyPair

MESSAGE = b"sixty-four bytes or any other number"


@given(st.integers(0, 200))
def test_every_p256_key_comes_back_from_its_multikey_and_its_did(number: int) -> None:
    key = KeyPair(number, KeyKind.P256).public_key
    text = multikey.encode_public_key(key)
    assert text.startswith("zDn")
    assert multikey.decode_public_key(text) == key
    assert didkey.public_key(didkey.verification_method_id(didkey.did(key))) == key


@pytest.mark.parametrize("kind", KeyKind)
def test_a_key_verifies_what_it_signed_and_nothing_else(kind: KeyKind) -> None:
    pair = KeyPair(1, kind)
    (signature,) = pair.sign([MESSAGE])
    assert pair.public_key.verify(MESSAGE, signature)
    assert not pair.public_key.verify(MESSAGE + b"!", signature)
    for other in KeyKind:
        if other is not kind:
            assert not KeyPair(1, other).public_key.verify(MESSAGE, signature)
    for wrong in (b"", signature[:-1], signature + b"\0", bytes(len(signature)), b"\xff" * len(signature)):
        assert not pair.public_key.verify(MESSAGE, wrong)


def rsa_numbers(bits: int, exponent: int = 65_537) -> rsa.RSAPublicNumbers:
    return rsa.generate_private_key(exponent, bits).public_key().public_numbers()


def test_an_rsa_key_that_can_be_factored_is_weak() -> None:
    numbers = rsa_numbers(1_024)
    with pytest.raises(Invalid, match="key-weak"):
        PublicKey.rsa(numbers.n, numbers.e)
    der = numbers.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(Invalid, match="key-weak"):
        PublicKey(KeyKind.RSA, der)


@pytest.mark.parametrize("exponent", [0, 1, 3, 65_536, 2**32 + 1])
def test_an_rsa_key_with_an_odd_choice_of_exponent_is_refused(exponent: int) -> None:
    with pytest.raises(Invalid, match="key-malformed"):
        PublicKey.rsa(rsa_numbers(2_048).n, exponent)


def test_an_rsa_key_that_would_take_long_is_refused() -> None:
    with pytest.raises(Invalid, match="key-malformed"):
        PublicKey.rsa(2**8_192 + 1, 65_537)
    with pytest.raises(Invalid, match="key-malformed"):
        PublicKey(KeyKind.RSA, bytes(100_000))


def test_a_key_of_another_kind_in_the_place_of_an_rsa_key_is_refused() -> None:
    with pytest.raises(Invalid, match="key-malformed"):
        PublicKey(KeyKind.RSA, KeyPair(1).public_key.data)


def test_an_rsa_key_is_no_multikey() -> None:
    with pytest.raises(Invalid, match="key-malformed"):
        multikey.encode_public_key(KeyPair(1, KeyKind.RSA).public_key)
