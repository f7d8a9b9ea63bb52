"""Key pairs of every kind that stand for nobody, and documents signed with them, for all tests of proofs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.proofs import dataintegrity, didkey
from shared.proofs.public_keys import KeyKind, PublicKey
from shared.proofs.strictjson import JsonObject
from shared.proofs.suites import SUITES

CREATED = "2026-03-01T09:30:00Z"


class KeyPair:
    """A key pair by a small number: the same number, the same key and signatures (RSA: within a run)."""

    def __init__(self, number: int, kind: KeyKind = KeyKind.ED25519) -> None:
        self.kind = kind
        self._private: Any
        if kind is KeyKind.ED25519:
            self._private = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
            self.public_key = PublicKey.ed25519(self._private.public_key().public_bytes_raw())
        elif kind is KeyKind.P256:
            self._private = ec.derive_private_key(number + 1, ec.SECP256R1())
            self.public_key = PublicKey.p256(
                self._private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
            )
        else:
            self._private = rsa_key(number)
            numbers = self._private.public_key().public_numbers()
            self.public_key = PublicKey.rsa(numbers.n, numbers.e)

    @property
    def did(self) -> str:
        return didkey.did(self.public_key)

    @property
    def method(self) -> str:
        return didkey.verification_method_id(self.did)

    def sign(self, messages: Sequence[bytes]) -> list[bytes]:
        return [self._sign(message) for message in messages]

    def _sign(self, message: bytes) -> bytes:
        if self.kind is KeyKind.ED25519:
            signature: bytes = self._private.sign(message)
        elif self.kind is KeyKind.P256:
            ecdsa = ec.ECDSA(SHA256(), deterministic_signing=True)
            r, s = decode_dss_signature(self._private.sign(message, ecdsa))
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        else:
            signature = self._private.sign(message, padding.PKCS1v15(), SHA256())
        return signature


@cache
def rsa_key(_number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2_048)


ISSUER = KeyPair(1)
OTHER = KeyPair(2)
P256_ISSUER = KeyPair(1, KeyKind.P256)
P256_OTHER = KeyPair(2, KeyKind.P256)


def issuer_for(cryptosuite: str) -> KeyPair:
    """The issuer's key of the kind that the suite is for."""
    return ISSUER if SUITES[cryptosuite].key_kind is KeyKind.ED25519 else P256_ISSUER


def secured(
    document: JsonObject, cryptosuite: str, number: int = 1, key: KeyPair | None = None, **options: Any
) -> JsonObject:
    """`document` with one more proof; `options` are further arguments of `dataintegrity.proof_config`."""
    key = key or issuer_for(cryptosuite)
    config = dataintegrity.proof_config(
        document,
        cryptosuite=cryptosuite,
        proof_id=f"urn:uuid:00000000-0000-4000-8000-{number:012}",
        verification_method=key.method,
        created=CREATED,
        **options,
    )
    suite = SUITES[cryptosuite]
    hashed = suite.hash_data(dataintegrity.covered(document, config), config)
    return dataintegrity.with_proof(document, config, suite.sign(key, [hashed])[0])


def verified(document: JsonObject, public_key: PublicKey | None = None) -> bool:
    """Whether every proof holds under the did:key that it names, or under `public_key`. Raises `Invalid`."""
    return all(
        SUITES[proof.cryptosuite].check_signature(
            public_key or didkey.public_key(proof.verification_method),
            SUITES[proof.cryptosuite].hash_data(proof.document, proof.config),
            proof.signature,
        )
        for proof in dataintegrity.parse_proofs(document)
    )
