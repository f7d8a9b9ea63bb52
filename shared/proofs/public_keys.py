"""Public keys: of which kind they are, that they are good ones, and what they signed.

A key belongs to one kind and a kind has one algorithm, so no header and no proof can talk a verifier into
checking a signature in another way than its key is for: `PublicKey.verify` asks nobody. A PublicKey is
checked when it is made; whoever holds one holds a good one.

    Ed25519   RFC 8032 §5.1, pure                          32 bytes: the encoded point
    P-256     ECDSA with SHA-256, r and s of 32 bytes each 33 bytes: the compressed point (SEC 1 §2.3.3)
    RSA       RSASSA-PKCS1-v1_5 with SHA-256 (RS256)       SubjectPublicKeyInfo, DER

Refuses points that are not on their curve or not in their one canonical encoding, the small-order points of
Ed25519, RSA below 2,048 bits or of a known flawed generator (forgeable) or above 8,192 bits (slow), and even
or tiny RSA exponents. Both s and n−s of an ECDSA signature are accepted: the standards prefer neither, and
signatures of either kind are in the field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from shared.errors import Invalid
from shared.key_kinds import KeyKind
from shared.proofs import ed25519, roca

__all__ = ["KeyKind", "PublicKey", "malformed"]

P256_POINT_BYTES = 33
P256_COORDINATE_BYTES = 32
P256_SIGNATURE_BYTES = 2 * P256_COORDINATE_BYTES
RSA_BITS_MIN = 2_048
RSA_BITS_MAX = 8_192
RSA_EXPONENT_MIN = 65_537
RSA_EXPONENT_MAX = 2**32  # a huge exponent makes every verification slow
RSA_KEY_BYTES_MAX = 1_200  # the encoding of RSA_BITS_MAX, with room
_LOADED_KEYS_MAX = 1_024


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A good public key; `data` is its encoding as the module names it for its kind.

    Raises `Invalid` with code `key-malformed` or `key-weak` when made of anything else.
    """

    kind: KeyKind
    data: bytes

    def __post_init__(self) -> None:
        _REFUSE[self.kind](self.data)

    @classmethod
    def ed25519(cls, point: bytes) -> PublicKey:
        """The key of the 32 bytes of an encoded Ed25519 point."""
        return cls(KeyKind.ED25519, point)

    @classmethod
    def p256(cls, point: bytes) -> PublicKey:
        """The key of the 33 bytes of a compressed P-256 point."""
        return cls(KeyKind.P256, point)

    @classmethod
    def rsa(cls, modulus: int, exponent: int) -> PublicKey:
        """The RSA key of these two numbers."""
        if modulus.bit_length() > RSA_BITS_MAX or not 0 < exponent < RSA_EXPONENT_MAX:
            raise malformed("an RSA key has numbers beyond what is computed with here")
        try:
            key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
        except ValueError as cause:
            raise malformed("the numbers are not those of an RSA key") from cause
        return cls(KeyKind.RSA, key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is that of this key over `message`; never raises."""
        return _VERIFY[self.kind](self.data, message, signature)


def malformed(reason: str) -> Invalid:
    """The refusal of what is no public key that can be used here."""
    return Invalid("key-malformed", "The public key is not one that can be used.", (reason,))


def _refuse_bad_ed25519(point: bytes) -> None:
    if len(point) != ed25519.PUBLIC_KEY_BYTES:
        raise malformed("an Ed25519 key has 32 bytes")
    if ed25519.is_weak(point):
        raise Invalid("key-weak", "The public key is one under which signatures prove nothing.")


def _refuse_bad_p256(point: bytes) -> None:
    if len(point) != P256_POINT_BYTES:
        raise malformed("a P-256 key is a compressed point of 33 bytes")
    try:
        _p256(point)
    except ValueError as cause:
        raise malformed("the point is not on the curve P-256") from cause


def _refuse_bad_rsa(data: bytes) -> None:
    if len(data) > RSA_KEY_BYTES_MAX:
        raise malformed("an RSA key is larger than what is computed with here")
    try:
        key = _rsa(data)
    except (ValueError, UnsupportedAlgorithm) as cause:
        raise malformed("it is not the encoding of an RSA key") from cause
    modulus, exponent = key.public_numbers().n, key.public_numbers().e
    if modulus % 2 == 0:
        raise malformed("the modulus of an RSA key is even")
    if roca.is_flawed(modulus):
        raise Invalid("key-weak", "The RSA key was made by a generator whose keys can be computed.")
    if not RSA_EXPONENT_MIN <= exponent < RSA_EXPONENT_MAX or exponent % 2 == 0:
        raise malformed("the exponent of an RSA key is even, too small or too large")
    if not RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
        code = "key-weak" if key.key_size < RSA_BITS_MIN else "key-malformed"
        raise Invalid(code, f"An RSA key has {RSA_BITS_MIN} to {RSA_BITS_MAX} bits.")


def _verify_p256(point: bytes, message: bytes, signature: bytes) -> bool:
    if len(signature) != P256_SIGNATURE_BYTES:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        _p256(point).verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _verify_rsa(data: bytes, message: bytes, signature: bytes) -> bool:
    try:
        _rsa(data).verify(signature, message, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


@lru_cache(_LOADED_KEYS_MAX)
def _p256(point: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


@lru_cache(_LOADED_KEYS_MAX)
def _rsa(data: bytes) -> rsa.RSAPublicKey:
    key = load_der_public_key(data)
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("a key of another kind")
    return key


_REFUSE: Mapping[KeyKind, Callable[[bytes], None]] = {
    KeyKind.ED25519: _refuse_bad_ed25519,
    KeyKind.P256: _refuse_bad_p256,
    KeyKind.RSA: _refuse_bad_rsa,
}
_VERIFY: Mapping[KeyKind, Callable[[bytes, bytes, bytes], bool]] = {
    KeyKind.ED25519: ed25519.check_signature,
    KeyKind.P256: _verify_p256,
    KeyKind.RSA: _verify_rsa,
}
