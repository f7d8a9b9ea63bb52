"""ecdsa-rdfc-2019 (ECDSA Cryptosuites 1.0 section 3.2), with P-256: the meaning of the document is signed.

The same canonical N-Quads and the same SHA-256 of both as eddsa-rdfc-2022; the key and the signature differ.
Refuses P-384, which the standard allows beside P-256: nobody's badges use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.proofs.rdfc import Canonicaliser
from shared.proofs.strictjson import JsonObject
from shared.proofs.suites.signatures import P256Signatures


@dataclass(frozen=True)
class EcdsaRdfc2019(P256Signatures):
    """`canonicaliser` carries the contexts; the pinned ones unless given."""

    canonicaliser: Canonicaliser = field(default_factory=Canonicaliser)
    cryptosuite: Final = "ecdsa-rdfc-2019"
    offloaded: Final = True
    own_context: Final = False

    def hash_data(self, document: JsonObject, proof_config: JsonObject) -> bytes:
        return self.canonicaliser.hash_data(document, [proof_config])[0]

    def hash_all(self, document: JsonObject, proof_configs: Sequence[JsonObject]) -> list[bytes]:
        return self.canonicaliser.hash_data(document, proof_configs)
