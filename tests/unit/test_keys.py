"""Signers: RFC 8032's own vectors, byte-identical repetition, and private keys that stay where they are."""

from __future__ import annotations

import copy
import hashlib
import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.errors import Invalid
from shared.keys import EnvelopeSigner, EphemeralSigner, Signer, seal_seed
from shared.sealing import MasterKey

MASTER = MasterKey(bytes(range(32)))

# RFC 8032 §7.1: TEST 1, TEST 2, TEST 3 and TEST SHA(abc), as (seed, public key, message, signature).
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").hexdigest(),
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
        "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]


@pytest.mark.parametrize(("seed", "public", "message", "signature"), VECTORS)
def test_an_envelope_signer_signs_as_rfc_8032_says(
    seed: str, public: str, message: str, signature: str
) -> None:
    signer = EnvelopeSigner.open(MASTER, seal_seed(MASTER, bytes.fromhex(seed), "key-1"), "key-1")
    assert signer.public_key.hex() == public
    assert [made.hex() for made in signer.sign([bytes.fromhex(message)])] == [signature]


def test_a_batch_is_signed_in_its_order_and_again_byte_for_byte() -> None:
    signer: Signer = EphemeralSigner()
    messages = [f"message {n}".encode() for n in range(50)]
    first, second = signer.sign(messages), signer.sign(messages)
    assert first == second
    public_key = Ed25519PublicKey.from_public_bytes(signer.public_key)
    for message, signature in zip(messages, first, strict=True):
        public_key.verify(signature, message)
    assert signer.sign([]) == []


def test_every_ephemeral_signer_has_a_key_of_its_own() -> None:
    assert len({EphemeralSigner().public_key for _ in range(8)}) == 8


def test_an_envelope_opens_only_under_its_master_key_and_key_id_and_unchanged() -> None:
    envelope = seal_seed(MASTER, bytes(32), "key-1")
    broken = envelope[:-1] + bytes([envelope[-1] ^ 1])
    for master, variant, key_id in [
        (MasterKey(bytes(32)), envelope, "key-1"),
        (MASTER, envelope, "key-2"),
        (MASTER, broken, "key-1"),
        (MASTER, b"", "key-1"),
    ]:
        with pytest.raises(Invalid) as refused:
            EnvelopeSigner.open(master, variant, key_id)
        assert refused.value.code == "signing-key-unreadable"


def test_an_envelope_holds_no_byte_run_of_the_seed() -> None:
    seed = bytes(range(100, 132))
    envelope = seal_seed(MASTER, seed, "key-1")
    assert all(seed[i : i + 4] not in envelope for i in range(len(seed) - 3))


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_seed_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(Invalid) as refused:
        seal_seed(MASTER, bytes(length), "key-1")
    assert refused.value.code == "signing-key-length"


def test_no_signer_can_be_pickled_copied_or_printed_with_its_seed() -> None:
    seed = bytes(range(32))
    opened = EnvelopeSigner.open(MASTER, seal_seed(MASTER, seed, "key-1"), "key-1")
    for signer in (opened, EphemeralSigner()):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError, match="never pickled"):
                pickle.dumps(signer, protocol)
        for duplicate in (copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="never pickled"):
                duplicate(signer)
        assert not hasattr(signer, "__dict__")
    assert repr(opened) == f"EnvelopeSigner(public_key={opened.public_key.hex()})"
