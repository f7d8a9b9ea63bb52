"""A suite that canonicalises N-Quads as they stand, to bring the RDFC-1.0 suite's poison to the workers."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from pyld import jsonld

from shared.proofs.strictjson import JsonObject
from shared.proofs.suites.signatures import Ed25519Signatures


def canonical(nquads: str) -> str:
    options = {
        "algorithm": "URDNA2015",
        "inputFormat": "application/n-quads",
        "format": "application/n-quads",
    }
    result: str = jsonld.normalize(nquads, options)
    return result


@dataclass(frozen=True)
class NQuadsSuite(Ed25519Signatures):
    cryptosuite: Final = "nquads"
    offloaded: Final = True
    own_context: Final = False

    def hash_data(self, document: JsonObject, proof_config: JsonObject) -> bytes:
        nquads = document["nquads"]
        assert isinstance(nquads, str)
        return 2 * sha256(canonical(nquads).encode()).digest()
