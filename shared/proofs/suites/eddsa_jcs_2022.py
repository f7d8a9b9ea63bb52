"""eddsa-jcs-2022 (EdDSA Cryptosuites 1.0 section 3.3): the JSON text of the document is signed.

Document and proof options become RFC 8785 JSON, so every member counts and no context is processed. The
proof carries the document's @context itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from shared.proofs import jcs
from shared.proofs.strictjson import JsonObject
from shared.proofs.suites.signatures import Ed25519Signatures


@dataclass(frozen=True)
class EddsaJcs2022(Ed25519Signatures):
    """Fast and bounded, so it runs where it is called."""

    cryptosuite: Final = "eddsa-jcs-2022"
    offloaded: Final = False
    own_context: Final = True

    def hash_data(self, document: JsonObject, proof_config: JsonObject) -> bytes:
        proof_hash = sha256(jcs.canonical_bytes(proof_config)).digest()
        return proof_hash + sha256(jcs.canonical_bytes(document)).digest()
