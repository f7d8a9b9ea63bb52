"""Ed25519 (RFC 8032 §5.1) as the EdDSA cryptosuites use it: how their 64 bytes are signed and checked.

Refuses, when checking, keys of another length and those under which one signature verifies for many messages:
OpenSSL does not object to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.proofs import multikey

_PUBLIC_KEYS_CACHED_MAX = 1_024


class MessageSigner(Protocol):
    """Whoever holds a private key; shared/keys.py has them. No suite ever sees the key itself."""

    def sign(self, messages: Sequence[bytes]) -> list[bytes]:
        """Sign each message; the signatures stand in the order of the messages."""


class Ed25519Signatures:
    """The half of a cryptosuite that signs and checks, for those whose keys are Ed25519."""

    def sign(self, signer: MessageSigner, hashes: Sequence[bytes]) -> list[bytes]:
        """The signature (64 bytes) of each of `hashes` (64 bytes), in their order."""
        return signer.sign(hashes)

    def check_signature(self, public_key: bytes, hash_data: bytes, signature: bytes) -> bool:
        """Whether `signature` (64 bytes) is that of `public_key` (32 bytes) over `hash_data` (64 bytes)."""
        return check_signature(public_key, hash_data, signature)


def check_signature(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) is that of `public_key` (32 bytes) over `message`."""
    if len(public_key) != multikey.PUBLIC_KEY_BYTES or multikey.is_weak(public_key):
        return False
    try:
        _loaded(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


@lru_cache(_PUBLIC_KEYS_CACHED_MAX)
def _loaded(public_key: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public_key)
