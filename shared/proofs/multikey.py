"""Multikey (Controlled Identifiers 1.0 section 2.2.2): public keys and signatures as multibase text.

An Ed25519 public key is `z` (base58btc) over the bytes 0xed 0x01 and the 32 bytes of the key, which makes
`z6Mk…`. Reading is strict, because a sloppy reader accepts two spellings of one key or one signature.

Refuses other prefixes and lengths, letters outside the alphabet, encodings of a point that are not the
canonical one, and the small-order points: under those one signature verifies for many messages, and
OpenSSL does not object.
"""

from __future__ import annotations

import re

import base58

from shared.errors import Invalid
from shared.proofs.strictjson import JsonObject

PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64

_ED25519_PREFIX = b"\xed\x01"
_BASE58BTC = re.compile(r"z[1-9A-HJ-NP-Za-km-z]+")
_BASE58_DIGITS = base58.BITCOIN_ALPHABET.decode("ascii")
_BASE58_PAIRS = [high + low for high in _BASE58_DIGITS for low in _BASE58_DIGITS]
_TEXT_CHARS_MAX = 128  # base58 decodes in the square of its length

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


def encode_public_key(public_key: bytes) -> str:
    """`z6Mk…` for the 32 bytes of an Ed25519 public key."""
    refuse_weak(public_key)
    return encode_multibase(_ED25519_PREFIX + public_key)


def decode_public_key(text: str) -> bytes:
    """The 32 bytes of the Ed25519 public key `text`; `Invalid` with code `key-malformed` or `key-weak`."""
    try:
        data = decode_multibase(text)
    except Invalid as cause:
        raise _malformed() from cause
    if len(data) != len(_ED25519_PREFIX) + PUBLIC_KEY_BYTES or not data.startswith(_ED25519_PREFIX):
        raise _malformed()
    public_key = data[len(_ED25519_PREFIX) :]
    refuse_weak(public_key)
    return public_key


def is_weak(public_key: bytes) -> bool:
    """Whether the encoded point has small order or is not written in its canonical form."""
    y = int.from_bytes(public_key, "little") & _Y_COORDINATE
    return y >= _FIELD_PRIME or y in _SMALL_ORDER_Y


def refuse_weak(public_key: bytes) -> None:
    """Raise `Invalid` unless `public_key` is 32 bytes that are not weak."""
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise _malformed()
    if is_weak(public_key):
        raise Invalid("key-weak", "The public key is one under which signatures prove nothing.")


def encode_multibase(data: bytes) -> str:
    """`data` as base58btc multibase text."""
    return f"z{_base58(data)}"


def _base58(data: bytes) -> str:
    """As the `base58` library encodes, in a third of its time: ten digits a step of the long division."""
    number = int.from_bytes(data, "big")
    pairs = []
    while number:
        number, ten_digits = divmod(number, 58**10)
        for _ in range(5):
            ten_digits, pair = divmod(ten_digits, 58**2)
            pairs.append(_BASE58_PAIRS[pair])
    leading_zeros = len(data) - len(data.lstrip(b"\0"))
    return "1" * leading_zeros + "".join(reversed(pairs)).lstrip("1")


def decode_multibase(text: str) -> bytes:
    """The bytes of base58btc multibase `text`; `Invalid` with code `multibase-malformed`."""
    if len(text) > _TEXT_CHARS_MAX or not _BASE58BTC.fullmatch(text):
        raise Invalid("multibase-malformed", "The value is not base58btc multibase text.")
    return base58.b58decode(text[1:])


def verification_method(controller: str, public_key: bytes) -> JsonObject:
    """The Multikey object of `public_key` in a DID document, named `<controller>#<multikey>`.

    The fragment is the key itself, so that a verifier needs no resolver to use it.
    """
    multikey = encode_public_key(public_key)
    return {
        "id": f"{controller}#{multikey}",
        "type": "Multikey",
        "controller": controller,
        "publicKeyMultibase": multikey,
    }


def _malformed() -> Invalid:
    return Invalid("key-malformed", "The public key is not an Ed25519 Multikey.")
