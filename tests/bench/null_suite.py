"""A cryptosuite that does nothing, to see what everything around canonicalising costs.

It lives here alone: a credential proved by it is worthless, and no verifier knows it.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared.proofs.strictjson import JsonObject
from shared.proofs.suites import Suite

CRYPTOSUITE = "null"
HASH_DATA = bytes(64)


class NullSuite:
    """Hashes every document to the same 64 bytes, in no time."""

    cryptosuite = CRYPTOSUITE
    offloaded = False

    def hash_data(self, document: JsonObject, proof_config: JsonObject) -> bytes:
        """Return 64 zero bytes."""
        return HASH_DATA


SUITES: Mapping[str, Suite] = {CRYPTOSUITE: NullSuite()}
