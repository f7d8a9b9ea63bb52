"""Signing keys behind one seam: whoever signs holds a Signer and never a private key.

A Signer has a public key and signs messages with the one algorithm of its kind: Ed25519 pure (RFC 8032
§5.1.6), ECDSA over P-256 with SHA-256, RSASSA-PKCS1-v1_5 with SHA-256. In memory all three are deterministic
(ECDSA by RFC 6979): a second signature over the same bytes is byte-identical, so a repeated batch repairs
rather than differs. A Signer does not know its own key id; what a key is called is the issuer's published
fact.

A hardware module is one more class with these two members (shared/tokens.py). The three here keep the
private key in memory: EphemeralSigner makes it at start and forgets it at exit, EnvelopeSigner opens one
that is stored encrypted under the master key, OperatorSigner stretches it out of that key. Refused: pickling
and copying, so that no private key ever travels to a worker process, and an envelope that was made for
another key id.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Final, NoReturn, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from shared.errors import Invalid
from shared.key_kinds import KeyKind
from shared.proofs.public_keys import P256_COORDINATE_BYTES, PublicKey
from shared.sealing import MasterKey

SEED_BYTES: Final = 32
RSA_BITS: Final = 3_072
"""As strong as the other kinds (NIST SP 800-57, 128 bits): what is signed today is believed for decades."""
RSA_EXPONENT: Final = 65_537

PrivateKey = Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Signer(Protocol):
    """What can sign: the seam behind which a file, a hardware module or a key service stands."""

    @property
    def public_key(self) -> PublicKey:
        """The public key, and with it the kind of the signatures."""
        ...

    def sign(self, messages: Sequence[bytes]) -> list[bytes]:
        """Sign each message; the signatures stand in the order of the messages."""
        ...


class InMemorySigner:
    """A key parsed once. It signs; it never gives its private half away, not even to pickle."""

    __slots__ = ("_public_key", "_sign")

    def __init__(self, private_key: PrivateKey) -> None:
        self._public_key, self._sign = _halves(private_key)

    @property
    def public_key(self) -> PublicKey:
        """The public key, and with it the kind of the signatures."""
        return self._public_key

    def sign(self, messages: Sequence[bytes]) -> list[bytes]:
        """Sign each message; the signatures stand in the order of the messages."""
        return [self._sign(message) for message in messages]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._public_key.kind}, public_key={self._public_key.data.hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is never pickled or copied: its private key stays in this process")


class EphemeralSigner(InMemorySigner):
    """A key made at start and known to nobody afterwards: for throw-aways and for tests."""

    __slots__ = ()

    def __init__(self, kind: KeyKind = KeyKind.ED25519) -> None:
        super().__init__(_loaded(make_private_key(kind)))


class EnvelopeSigner(InMemorySigner):
    """A key that is stored as an envelope which only the master key opens."""

    __slots__ = ()

    @classmethod
    def open(cls, master_key: MasterKey, envelope: bytes, key_id: str) -> EnvelopeSigner:
        """Open the envelope that `seal_private_key` made for `key_id`.

        Raises Invalid("signing-key-unreadable") for another master key, another key id or a changed byte.
        """
        try:
            private_key = master_key.key_wrap("signing-key").unwrap(envelope, ("signing-key", key_id))
        except Invalid as cause:
            raise Invalid(
                "signing-key-unreadable", "the signing key does not open with this master key"
            ) from cause
        return cls(_loaded(private_key))


class OperatorSigner(InMemorySigner):
    """The operator's own key, for statements of the installation itself: stretched out of the master key.

    It is stored nowhere and never changes while the master key does not.
    """

    __slots__ = ()

    @classmethod
    def of(cls, master_key: MasterKey) -> OperatorSigner:
        """The signer of the installation that has this master key."""
        return cls(Ed25519PrivateKey.from_private_bytes(master_key.derive("operator-signing")))


def make_private_key(kind: KeyKind) -> bytes:
    """A new private key: the seed of Ed25519 (RFC 8032 §5.1.5), for the other kinds PKCS #8 in DER."""
    if kind is KeyKind.ED25519:
        return os.urandom(SEED_BYTES)
    made: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    if kind is KeyKind.P256:
        made = ec.generate_private_key(ec.SECP256R1())
    else:
        made = rsa.generate_private_key(RSA_EXPONENT, RSA_BITS)
    return made.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def public_key_of(private_key: bytes) -> PublicKey:
    """The public half of what `make_private_key` made. Raises Invalid("signing-key-malformed")."""
    return _halves(_loaded(private_key))[0]


def seal_private_key(master_key: MasterKey, private_key: bytes, key_id: str) -> bytes:
    """Encrypt what `make_private_key` made for storage, bound to `key_id`.

    Raises Invalid("signing-key-malformed") for what is no such key.
    """
    _loaded(private_key)
    return master_key.key_wrap("signing-key").wrap(private_key, ("signing-key", key_id))


def _loaded(private_key: bytes) -> PrivateKey:
    if len(private_key) == SEED_BYTES:  # no other kind has as few
        return Ed25519PrivateKey.from_private_bytes(private_key)
    try:
        key = load_der_private_key(private_key, None)
    except (ValueError, UnsupportedAlgorithm) as cause:
        raise _malformed() from cause
    if isinstance(key, rsa.RSAPrivateKey):
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise _malformed()


def _malformed() -> Invalid:
    return Invalid("signing-key-malformed", "it is no private key of Ed25519, P-256 or RSA as they are kept")


def _halves(key: PrivateKey) -> tuple[PublicKey, Callable[[bytes], bytes]]:
    """The public key, and what signs one message."""
    if isinstance(key, Ed25519PrivateKey):
        return PublicKey.ed25519(key.public_key().public_bytes_raw()), key.sign
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        signing = key
        return (
            PublicKey.rsa(numbers.n, numbers.e),
            lambda message: signing.sign(message, padding.PKCS1v15(), SHA256()),
        )
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return PublicKey.p256(point), _ecdsa(key)


def _ecdsa(key: ec.EllipticCurvePrivateKey) -> Callable[[bytes], bytes]:
    algorithm = ec.ECDSA(SHA256(), deterministic_signing=True)

    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(message, algorithm))
        return r.to_bytes(P256_COORDINATE_BYTES, "big") + s.to_bytes(P256_COORDINATE_BYTES, "big")

    return sign
