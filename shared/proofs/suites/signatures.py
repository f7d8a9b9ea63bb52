"""The half of a cryptosuite that signs and checks, for each kind of key that the suites use.

Both kinds sign a message with 64 bytes and hash it themselves, so a suite only says which kind it is for. A
signature is asked of the key that was found, and only if that is of the suite's kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from shared.proofs.public_keys import KeyKind, PublicKey
from shared.proofs.strictjson import JsonObject

SIGNATURE_BYTES = 64


class MessageSigner(Protocol):
    """Whoever holds a private key; shared/keys.py has them. No suite ever sees the key itself."""

    def sign(self, messages: Sequence[bytes]) -> list[bytes]:
        """Sign each message; the signatures stand in the order of the messages."""


class _Hashing(Protocol):
    def hash_data(self, document: JsonObject, proof_config: JsonObject) -> bytes: ...


class _Signatures:
    key_kind: ClassVar[KeyKind]

    def hash_all(self: _Hashing, document: JsonObject, proof_configs: Sequence[JsonObject]) -> list[bytes]:
        """What `hash_data` gives for each of `proof_configs`; to be replaced where the document is dear."""
        return [self.hash_data(document, config) for config in proof_configs]

    def sign(self, signer: MessageSigner, hashes: Sequence[bytes]) -> list[bytes]:
        """The signature (64 bytes) of each of `hashes` (64 bytes), in their order."""
        return signer.sign(hashes)

    def check_signature(self, public_key: PublicKey, hash_data: bytes, signature: bytes) -> bool:
        """Whether `signature` (64 bytes) is that of `public_key` over `hash_data` (64 bytes)."""
        return public_key.kind is self.key_kind and public_key.verify(hash_data, signature)


class Ed25519Signatures(_Signatures):
    """EdDSA over edwards25519, pure (RFC 8032 §5.1)."""

    key_kind = KeyKind.ED25519


class P256Signatures(_Signatures):
    """ECDSA over P-256 with SHA-256; a signature is r and s, 32 bytes each (FIPS 186-5 §6)."""

    key_kind = KeyKind.P256
