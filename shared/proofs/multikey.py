"""Multikey (Controlled Identifiers 1.0 section 2.2.2): public keys and signatures as multibase text.

A public key is `z` (base58btc) over two bytes that name its kind and the bytes of the key: `z6Mk…` is an
Ed25519 key, `zDn…` one of P-256. Reading is strict, because a sloppy reader accepts two spellings of one key
or one signature.

RSA keys have a multicodec too, and no Multikey: a DID document shows them as a JWK. `key_text` is how this
house writes down any key of its own, RSA among them, in one line.

Refuses other kinds and lengths, letters outside the alphabet, and the keys that public_keys refuses.
"""

from __future__ import annotations

import re
from functools import lru_cache

import base58
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from shared.errors import Invalid
from shared.key_kinds import kind_of
from shared.proofs.public_keys import KeyKind, PublicKey, malformed
from shared.proofs.strictjson import JsonObject

_KINDS = {b"\xed\x01": KeyKind.ED25519, b"\x80\x24": KeyKind.P256}
_PREFIXES = {kind: prefix for prefix, kind in _KINDS.items()}
_PREFIX_BYTES = 2
_RSA_PREFIX = b"\x85\x24"  # rsa-pub: the RSAPublicKey of PKCS #1, in DER
_BASE58BTC = re.compile(r"z[1-9A-HJ-NP-Za-km-z]+")
_BASE58_DIGITS = base58.BITCOIN_ALPHABET.decode("ascii")
_BASE58_PAIRS = [high + low for high in _BASE58_DIGITS for low in _BASE58_DIGITS]
_TEXT_CHARS_MAX = 128  # base58 decodes in the square of its length
_KEY_TEXT_CHARS_MAX = 1_600  # RSA_BITS_MAX, with room; our own texts alone
_TEXTS_CACHED_MAX = 1_024


def encode_public_key(public_key: PublicKey) -> str:
    """`z6Mk…` for an Ed25519 key, `zDn…` for P-256. Raises `Invalid('key-malformed')` for RSA."""
    prefix = _PREFIXES.get(public_key.kind)
    if prefix is None:
        raise malformed("a key of this kind is not written as a Multikey")
    return encode_multibase(prefix + public_key.data)


def decode_public_key(text: str) -> PublicKey:
    """The public key `text`; `Invalid` with code `key-malformed` or `key-weak`."""
    try:
        data = decode_multibase(text)
    except Invalid as cause:
        raise malformed("it is not base58btc multibase text") from cause
    kind = _KINDS.get(data[:_PREFIX_BYTES])
    if kind is None:
        raise malformed("it is neither an Ed25519 nor a P-256 Multikey")
    return PublicKey(kind, data[_PREFIX_BYTES:])


def key_text(public_key: PublicKey) -> str:
    """Any key in one line: the Multikey, or for RSA its multicodec in multibase, which is none."""
    if public_key.kind is not KeyKind.RSA:
        return encode_public_key(public_key)
    key = load_der_public_key(public_key.data)
    return encode_multibase(_RSA_PREFIX + key.public_bytes(Encoding.DER, PublicFormat.PKCS1))


@lru_cache(_TEXTS_CACHED_MAX)
def key_of_text(text: str) -> PublicKey:
    """The key that `key_text` wrote; `Invalid` with code `key-malformed` or `key-weak` for anything else."""
    if kind_of(text) is not KeyKind.RSA:
        return decode_public_key(text)
    if len(text) > _KEY_TEXT_CHARS_MAX or not _BASE58BTC.fullmatch(text):
        raise malformed("it is not base58btc multibase text")
    data = base58.b58decode(text[1:])
    if not data.startswith(_RSA_PREFIX):
        raise malformed("it is the text of no key")
    try:
        key = load_der_public_key(data.removeprefix(_RSA_PREFIX))
    except ValueError as cause:
        raise malformed("it is not the encoding of an RSA key") from cause
    if not isinstance(key, rsa.RSAPublicKey):
        raise malformed("it is not the encoding of an RSA key")
    return PublicKey.rsa(key.public_numbers().n, key.public_numbers().e)


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


def verification_method(controller: str, public_key: PublicKey) -> JsonObject:
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
