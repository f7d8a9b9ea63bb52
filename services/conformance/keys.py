"""Throw-away keys, one of each kind that the suites ask for, each named by its own did:key."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.keys import EphemeralSigner
from shared.proofs import didkey
from shared.proofs.public_keys import KeyKind, PublicKey
from shared.proofs.suites.signatures import MessageSigner


class ThrowAwayKey:
    """A key made at start and forgotten at exit."""

    def __init__(self, public_key: PublicKey, signer: MessageSigner) -> None:
        self.public_key = public_key
        self.signer = signer
        self.did = didkey.did(public_key)
        self.method = didkey.verification_method_id(self.did)


class _P256Signer:
    """ECDSA over P-256 with SHA-256; a signature is r and s, 32 bytes each."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    def sign(self, messages: Sequence[bytes]) -> list[bytes]:
        pairs = [decode_dss_signature(self._key.sign(message, ec.ECDSA(SHA256()))) for message in messages]
        return [r.to_bytes(32, "big") + s.to_bytes(32, "big") for r, s in pairs]


def throw_away_keys() -> dict[KeyKind, ThrowAwayKey]:
    """New keys."""
    ed25519, p256 = EphemeralSigner(), ec.generate_private_key(ec.SECP256R1())
    point = p256.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return {
        KeyKind.ED25519: ThrowAwayKey(PublicKey.ed25519(ed25519.public_key), ed25519),
        KeyKind.P256: ThrowAwayKey(PublicKey.p256(point), _P256Signer(p256)),
    }
