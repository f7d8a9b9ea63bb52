"""RDFC-1.0: a JSON-LD document becomes canonical N-Quads, by PyLD in safe mode.

PyLD is chosen because it agrees with the JavaScript verifiers in the field where other canonicalisers do
not (repeated blank nodes inside named graphs). What it lacks is put around it here: no base IRI, contexts
from the pinned set alone, safe mode (jsonld_safety), limits, and a dataset that is a set. The document is
expanded once; safe mode inspects that very expansion and canonicalisation continues from it.

Refuses data loss, unknown contexts, malformed JSON-LD, and graphs larger than the limits. The limits do not
bound time: a graph of a dozen like blank nodes can still take hours, so whatever comes from outside is
canonicalised by shared/proofs/workers.py, which kills what takes too long.
"""

from __future__ import annotations

import copy
from hashlib import sha256
from typing import Any

from pyld import jsonld
from pyld.context_resolver import ContextResolver

from shared.errors import Invalid, Rejected
from shared.proofs import jsonld_safety
from shared.proofs.contexts import PINNED, ContextSet
from shared.proofs.strictjson import JsonObject

QUADS_MAX = 2_000
BLANK_NODES_MAX = 64


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
        options = {
            "algorithm": "URDNA2015",  # PyLD's name for RDFC-1.0 with SHA-256
            "format": "application/n-quads",
            "base": None,  # left out, PyLD would resolve relative IRIs against an address of its own
            "rdfDirection": "i18n-datatype",  # as the deployed verifiers do; otherwise @direction is lost
            "documentLoader": self._load,
            "contextResolver": ContextResolver(self._processed, self._load),
        }
        try:
            canonical: str = _SafeProcessor(document).normalize(document, options)
        except Rejected:
            raise
        except Exception as cause:  # PyLD answers malformed input with many types, TypeError among them
            raise Invalid("json-ld-invalid", "The document is not valid JSON-LD.") from cause
        return canonical

    def hash_data(self, document: JsonObject, proof_config: JsonObject) -> bytes:
        """SHA-256 of the proof options, then of the document: what every RDFC suite here signs.

        EdDSA Cryptosuites 1.0 §3.2.4, ECDSA Cryptosuites 1.0 §3.2.4. The options are read with the
        @context of `document`. Raises `Invalid` as `nquads` does.
        """
        if "@context" not in document:
            raise Invalid("context-missing", "The document has no @context.")
        config = {**proof_config, "@context": document["@context"]}
        proof_hash = sha256(self.nquads(config).encode()).digest()
        return proof_hash + sha256(self.nquads(document).encode()).digest()

    def _load(self, url: str, _options: dict[str, Any]) -> dict[str, Any]:
        return {
            "contentType": "application/ld+json",
            "contextUrl": None,
            "documentUrl": url,
            # a copy, because PyLD rewrites a context in place
            "document": copy.deepcopy(self._contexts.document(url)),
            "tag": "static",  # may be cached
        }


class _SafeProcessor(jsonld.JsonLdProcessor):  # type: ignore[misc]
    """PyLD's processor for one document, with a check after each of its steps."""

    def __init__(self, document: JsonObject) -> None:
        super().__init__(on_property_dropped=self._refuse_dropped)
        self._document = document

    def _refuse_dropped(self, term: str | None) -> None:
        raise jsonld_safety.dropped_property(term, self._document)

    def expand(self, input_: Any, options: Any) -> list[Any]:
        expanded: list[Any] = super().expand(input_, options)
        jsonld_safety.refuse_unsignable_expansion(expanded, self._document)
        return expanded

    def to_rdf(self, input_: Any, options: Any) -> dict[str, list[dict[str, Any]]]:
        graphs = super().to_rdf(input_, options)
        dataset = {name: _distinct(triples) for name, triples in graphs.items()}
        if sum(map(len, dataset.values())) > QUADS_MAX:
            raise _beyond(f"more than {QUADS_MAX} statements")
        if len(_blank_nodes(dataset)) > BLANK_NODES_MAX:
            raise _beyond(f"more than {BLANK_NODES_MAX} nodes without an id")
        return dataset


def _distinct(triples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """An RDF dataset is a set; PyLD repeats a triple that is written once as 1 and once as "1"."""
    seen: dict[tuple[Any, ...], dict[str, Any]] = {}
    for triple in triples:
        obj = triple["object"]
        key = (
            triple["subject"]["value"],
            triple["predicate"]["value"],
            obj["type"],
            obj["value"],
            obj.get("datatype"),
            obj.get("language"),
        )
        seen.setdefault(key, triple)
    return list(seen.values())


def _blank_nodes(dataset: dict[str, list[dict[str, Any]]]) -> set[str]:
    blank = {name for name in dataset if name.startswith("_:")}
    for triples in dataset.values():
        for triple in triples:
            for term in (triple["subject"], triple["object"]):
                if term["type"] == "blank node":
                    blank.add(term["value"])
    return blank


def _beyond(what: str) -> Invalid:
    return Invalid("canonicalisation-limit", "The document is too large a graph to canonicalise.", (what,))
