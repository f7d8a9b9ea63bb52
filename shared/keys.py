"""Signing keys behind one seam: whoever signs holds a Signer and never a private key.

A Signer has a public key and signs messages with Ed25519 (RFC 8032 §5.1.6, the pure variant), which is
deterministic: a second signature over the same bytes is byte-identical, so a repeated batch repairs rather
than differs. It does not know its own key id; what a key is called is the issuer's published fact.

A hardware module is one more class with these two members (shared/tokens.py). The three here keep the
private key in memory: EphemeralSigner makes it at start and forgets it at exit, EnvelopeSigner opens a seed
that is stored encrypted under the master key, OperatorSigner stretches it out of that key. Refused: pickling
and copying, so that no private key ever travels to a worker process, and an envelope that was made for
another key id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NoReturn, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.errors import Invalid
from shared.sealing import MasterKey, unwrap, wrap

SEED_BYTES: Final = 32


class Signer(Protocol):
    """What can sign: the seam behind which a file, a hardware module or a key service stands."""

    @property
    def public_key(self) -> bytes:
        """The raw 32-byte Ed25519 public key."""
        ...

    def sign(self, messages: Sequence[bytes]) -> list[bytes]:
        """Sign each message; the 64-byte signatures stand in the order of the messages."""
        ...


class _InMemorySigner:
    """An Ed25519 key parsed once. It signs; it never gives its seed away, not even to pickle."""

    __slots__ = ("_private_key", "_public_key")

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        self._private_key = private_key
        self._public_key = private_key.public_key().public_bytes_raw()

    @property
    def public_key(self) -> bytes:
        """The raw 32-byte Ed25519 public key."""
        return self._public_key

    def sign(self, messages: Sequence[bytes]) -> list[bytes]:
        """Sign each message (Ed25519, pure); the 64-byte signatures stand in the order of the messages."""
        sign = self._private_key.sign
        return [sign(message) for message in messages]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(public_key={self._public_key.hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is never pickled or copied: its private key stays in this process")


class EphemeralSigner(_InMemorySigner):
    """A key made at start and known to nobody afterwards: for linting throw-aways and for tests."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(Ed25519PrivateKey.generate())


class EnvelopeSigner(_InMemorySigner):
    """A key whose seed is stored as an envelope that only the master key opens."""

    __slots__ = ()

    @classmethod
    def open(cls, master_key: MasterKey, envelope: bytes, key_id: str) -> EnvelopeSigner:
        """Open the envelope that `seal_seed` made for `key_id`.

        Raises Invalid("signing-key-unreadable") for another master key, another key id or a changed byte.
        """
        try:
            seed = unwrap(master_key.derive("signing-key"), envelope, ("signing-key", key_id))
        except Invalid as cause:
            raise Invalid(
                "signing-key-unreadable", "the signing key does not open with this master key"
            ) from cause
        return cls(Ed25519PrivateKey.from_private_bytes(seed))


class OperatorSigner(_InMemorySigner):
    """The operator's own key, for statements of the installation itself: stretched out of the master key.

    It is stored nowhere and never changes while the master key does not.
    """

    __slots__ = ()

    @classmethod
    def of(cls, master_key: MasterKey) -> OperatorSigner:
        """The signer of the installation that has this master key."""
        return cls(Ed25519PrivateKey.from_private_bytes(master_key.derive("operator-signing")))


def seal_seed(master_key: MasterKey, seed: bytes, key_id: str) -> bytes:
    """Encrypt a 32-byte Ed25519 seed (RFC 8032 §5.1.5) for storage, bound to `key_id`.

    Raises Invalid("signing-key-length") for a seed of another length.
    """
    if len(seed) != SEED_BYTES:
        raise Invalid("signing-key-length", "an Ed25519 seed is exactly 32 bytes")
    return wrap(master_key.derive("signing-key"), seed, ("signing-key", key_id))
