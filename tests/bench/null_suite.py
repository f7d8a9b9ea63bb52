"""A cryptosuite that does nothing, to see what everything around hashing, signing and checking costs.

It lives here alone: a credential proved by it is worthless, and no verifier knows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.proofs.public_keys import KeyKind, PublicKey
from shared.proofs.strictjson import JsonObject
from shared.proofs.suites import Suite
from shared.proofs.suites.signatures import MessageSigner

CRYPTOSUITE = "null"
HASH_DATA = bytes(64)
SIGNATURE = bytes(64)


class NullSuite:
    """Hashes every document to the same 64 bytes and signs them with another 64, in no time."""

    cryptosuite = CRYPTOSUITE
    offloaded = False
    own_context = False
    key_kind = KeyKind.ED25519

    def hash_data(self, document: JsonObject, proof_config: JsonObject) -> bytes:
        """Return 64 zero bytes."""
        return HASH_DATA

    def hash_all(self, document: JsonObject, proof_configs: Sequence[JsonObject]) -> list[bytes]:
        """Return 64 zero bytes for each."""
        return [HASH_DATA] * len(proof_configs)

    def sign(self, signer: MessageSigner, hashes: Sequence[bytes]) -> list[bytes]:
        """Return 64 zero bytes for each."""
        return [SIGNATURE] * len(hashes)

    def check_signature(self, public_key: PublicKey, hash_data: bytes, signature: bytes) -> bool:
        """Return whether these are the 64 zero bytes."""
        return signature == SIGNATURE


SUITES: Mapping[str, Suite] = {CRYPTOSUITE: NullSuite()}
