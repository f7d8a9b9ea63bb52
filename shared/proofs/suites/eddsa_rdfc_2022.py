"""eddsa-rdfc-2022 (EdDSA Cryptosuites 1.0 section 3.2): the meaning of the document is signed.

Document and proof options become canonical N-Quads; spelling, order and white space do not matter. The
proof options are read with the document's own @context. The suite that Open Badges certification demands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.proofs.rdfc import Canonicaliser
from shared.proofs.strictjson import JsonObject
from shared.proofs.suites.signatures import Ed25519Signatures


@dataclass(frozen=True)
class EddsaRdfc2022(Ed25519Signatures):
    """`canonicaliser` carries the contexts; the pinned ones unless given."""

    canonicaliser: Canonicaliser = field(default_factory=Canonicaliser)
    cryptosuite: Final = "eddsa-rdfc-2022"
    offloaded: Final = True
    own_context: Final = False

    def hash_data(self, document: JsonObject, proof_config: JsonObject) -> bytes:
        return self.canonicaliser.hash_data(document, [proof_config])[0]

    def hash_all(self, document: JsonObject, proof_configs: Sequence[JsonObject]) -> list[bytes]:
        return self.canonicaliser.hash_data(document, proof_configs)
