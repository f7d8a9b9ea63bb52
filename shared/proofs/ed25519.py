"""Ed25519 (RFC 8032 §5.1): checking signatures, and knowing the keys under which they prove nothing.

Under a point of small order one signature verifies for many messages, and OpenSSL does not object; a point
with two encodings is a key with two names. Both kinds of key are weak here, and nothing verifies with them.
"""

from __future__ import annotations

from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PUBLIC_KEY_BYTES = 32

_PUBLIC_KEYS_CACHED_MAX = 1_024
_FIELD_PRIME = 2**255 - 19
_Y_COORDINATE = 2**255 - 1  # the bits of an encoded point that are its y; the last bit is the sign of x
_SMALL_ORDER_Y = frozenset(
    {
        0,  # order 4
        1,  # the identity
        _FIELD_PRIME - 1,  # order 2
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,  # order 8
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,  # order 8
    }
)


def is_weak(public_key: bytes) -> bool:
    """Whether the encoded point (32 bytes) has small order or is not written in its canonical form."""
    y = int.from_bytes(public_key, "little") & _Y_COORDINATE
    return y >= _FIELD_PRIME or y in _SMALL_ORDER_Y


def check_signature(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) is that of `public_key` (32 bytes) over `message`; never raises."""
    if len(public_key) != PUBLIC_KEY_BYTES or is_weak(public_key):
        return False
    try:
        _loaded(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


@lru_cache(_PUBLIC_KEYS_CACHED_MAX)
def _loaded(public_key: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public_key)
