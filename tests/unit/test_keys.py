"""Signers: RFC 8032's own vectors, byte-identical repetition, and private keys that stay where they are."""

from __future__ import annotations

import copy
import hashlib
import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.errors import Invalid
from shared.key_kinds import KeyKind, kind_of
from shared.keys import (
    RSA_BITS,
    EnvelopeSigner,
    EphemeralSigner,
    Signer,
    make_private_key,
    public_key_of,
    seal_private_key,
)
from shared.proofs import multikey
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
    signer = EnvelopeSigner.open(MASTER, seal_private_key(MASTER, bytes.fromhex(seed), "key-1"), "key-1")
    assert signer.public_key.data.hex() == public
    assert [made.hex() for made in signer.sign([bytes.fromhex(message)])] == [signature]


# RFC 6979 §A.2.5, with SHA-256: the private key, and r and s by message.
P256_SECRET = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
P256_VECTORS = [
    (
        b"sample",
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    ),
    (
        b"test",
        "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
        "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
    ),
]


def pkcs8(curve: ec.EllipticCurve, secret: int) -> bytes:
    """A private key as it is kept."""
    key = ec.derive_private_key(secret, curve)
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(("message", "signature"), P256_VECTORS)
def test_a_p256_key_signs_as_rfc_6979_says(message: bytes, signature: str) -> None:
    kept = seal_private_key(MASTER, pkcs8(ec.SECP256R1(), P256_SECRET), "key-1")
    signer = EnvelopeSigner.open(MASTER, kept, "key-1")
    assert [made.hex() for made in signer.sign([message])] == [signature]


@pytest.mark.parametrize("kind", KeyKind)
def test_a_batch_is_signed_in_its_order_and_again_byte_for_byte(kind: KeyKind) -> None:
    signer: Signer = EphemeralSigner(kind)
    messages = [f"message {n}".encode() for n in range(20)]
    first, second = signer.sign(messages), signer.sign(messages)
    assert first == second
    assert signer.public_key.kind is kind
    for message, signature in zip(messages, first, strict=True):
        assert signer.public_key.verify(message, signature)
    assert signer.sign([]) == []


@pytest.mark.parametrize("kind", KeyKind)
def test_a_key_of_any_kind_is_kept_in_an_envelope_and_written_in_one_line(kind: KeyKind) -> None:
    private_key = make_private_key(kind)
    signer = EnvelopeSigner.open(MASTER, seal_private_key(MASTER, private_key, "key-1"), "key-1")
    assert signer.public_key == public_key_of(private_key)
    text = multikey.key_text(signer.public_key)
    assert kind_of(text) is kind
    assert multikey.key_of_text(text) == signer.public_key


def test_an_rsa_key_is_as_strong_as_the_others() -> None:
    assert len(EphemeralSigner(KeyKind.RSA).sign([b""])[0]) * 8 == RSA_BITS == 3_072


def test_every_ephemeral_signer_has_a_key_of_its_own() -> None:
    assert len({EphemeralSigner().public_key for _ in range(8)}) == 8


def test_an_envelope_opens_only_under_its_master_key_and_key_id_and_unchanged() -> None:
    envelope = seal_private_key(MASTER, bytes(32), "key-1")
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
    envelope = seal_private_key(MASTER, seed, "key-1")
    assert all(seed[i : i + 4] not in envelope for i in range(len(seed) - 3))


@pytest.mark.parametrize("other", [b"", bytes(31), bytes(33), bytes(64), pkcs8(ec.SECP384R1(), 1)], ids=len)
def test_what_is_no_key_of_these_kinds_is_not_kept(other: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        seal_private_key(MASTER, other, "key-1")
    assert refused.value.code == "signing-key-malformed"


def test_no_signer_can_be_pickled_copied_or_printed_with_its_seed() -> None:
    seed = bytes(range(32))
    opened = EnvelopeSigner.open(MASTER, seal_private_key(MASTER, seed, "key-1"), "key-1")
    for signer in (opened, *map(EphemeralSigner, KeyKind)):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError, match="never pickled"):
                pickle.dumps(signer, protocol)
        for duplicate in (copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="never pickled"):
                duplicate(signer)
        assert not hasattr(signer, "__dict__")
    assert repr(opened) == f"EnvelopeSigner(Ed25519, public_key={opened.public_key.data.hex()})"
