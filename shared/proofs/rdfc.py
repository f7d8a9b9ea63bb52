"""RDFC-1.0: a JSON-LD document becomes canonical N-Quads, by PyLD in safe mode.

PyLD is chosen because it agrees with the JavaScript verifiers in the field where other canonicalisers do
not (repeated blank nodes inside named graphs). What it lacks is put around it here: no base IRI, contexts
from the pinned set alone, safe mode (jsonld_safety), limits, and a dataset that is a set (safe_processor).

Refuses data loss, unknown contexts, malformed JSON-LD, graphs larger than the limits, and those whose like
nodes take too many steps to tell apart (labelling.py). What is left is bounded and slow, so whatever comes
from outside is canonicalised by shared/proofs/workers.py, which would kill what takes too long all the same.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from shared.errors import Invalid
from shared.proofs import jsonld_safety
from shared.proofs.contexts import PINNED, ContextSet
from shared.proofs.strictjson import JsonObject


class Canonicaliser:
    """Canonicalises with one set of contexts and keeps their processed form from document to document."""

    def __init__(self, contexts: ContextSet = PINNED) -> None:
        self._contexts = contexts
        # PyLD's own cache is global and keyed by URL alone: two sets in one process would mix. This one
        # cannot outgrow the set, since documents may not bring contexts of their own.
        self._processed: dict[str, Any] = {}

    def __reduce__(self) -> tuple[type[Canonicaliser], tuple[ContextSet]]:
        """Travels to a worker process as its contexts; the cache is warmed there."""
        return Canonicaliser, (self._contexts,)

    def nquads(self, document: JsonObject) -> str:
        """The canonical N-Quads of `document`, one line a quad, sorted. Raises `Invalid`:

        `data-loss`, `spelling-ambiguous`, `context-*`, `json-*`, `json-ld-invalid` or
        `canonicalisation-limit`.
        """
        jsonld_safety.refuse_unsignable_input(document, self._contexts)
        from shared.proofs import safe_processor  # noqa: PLC0415 - most processes leave that to their workers

        return safe_processor.nquads(document, self._load, self._processed)

    def hash_data(self, document: JsonObject, proof_configs: Sequence[JsonObject]) -> list[bytes]:
        """SHA-256 of the options of each proof, then of the document: what every RDFC suite here signs.

        EdDSA Cryptosuites 1.0 §3.2.4, ECDSA Cryptosuites 1.0 §3.2.4. The options are read with the
        @context of `document`, which is canonicalised once. Raises `Invalid` as `nquads` does.
        """
        if "@context" not in document:
            raise Invalid("context-missing", "The document has no @context.")
        configs = [{**config, "@context": document["@context"]} for config in proof_configs]
        hashes = [sha256(self.nquads(config).encode()).digest() for config in configs]
        document_hash = sha256(self.nquads(document).encode()).digest()
        return [each + document_hash for each in hashes]

    def _load(self, url: str, _options: dict[str, Any]) -> dict[str, Any]:
        return {
            "contentType": "application/ld+json",
            "contextUrl": None,
            "documentUrl": url,
            # a copy, because PyLD rewrites a context in place
            "document": copy.deepcopy(self._contexts.document(url)),
            "tag": "static",  # may be cached
        }
