"""RDFC-1.0: a JSON-LD document becomes canonical N-Quads, by PyLD in safe mode.

PyLD is chosen because it agrees with the JavaScript verifiers in the field where other canonicalisers do
not (repeated blank nodes inside named graphs). What it lacks is put around it here: no base IRI, contexts
from the pinned set alone, safe mode (jsonld_safety), limits, and a dataset that is a set. The document is
expanded once; safe mode inspects that very expansion and canonicalisation continues from it.

Refuses data loss, unknown contexts, malformed JSON-LD, graphs larger than the limits, and those whose like
nodes take too many steps to tell apart (labelling.py). What is left is bounded and slow, so whatever comes
from outside is canonicalised by shared/proofs/workers.py, which would kill what takes too long all the same.
"""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from pyld import jsonld
from pyld.context_resolver import ContextResolver

from shared.errors import Invalid, Rejected
from shared.proofs import jsonld_safety
from shared.proofs.contexts import PINNED, ContextSet
from shared.proofs.labelling import Dataset, beyond, canonical_nquads
from shared.proofs.several import many
from shared.proofs.strictjson import JsonObject

QUADS_MAX = 2_000
BLANK_NODES_MAX = 64
COMPARISONS_MAX = 100_000
"""PyLD compares each value of a property with all the others of its node: 447 values of one come to this."""
CONTEXTS_MAX = 32
"""Entries of all @context together: each is processed anew upon the ones before it."""


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
        if _contexts_named(document) > CONTEXTS_MAX:
            raise beyond(f"more than {CONTEXTS_MAX} contexts")
        options = {
            "base": None,  # left out, PyLD would resolve relative IRIs against an address of its own
            "rdfDirection": "i18n-datatype",  # as the deployed verifiers do; otherwise @direction is lost
            "documentLoader": self._load,
            "contextResolver": ContextResolver(self._processed, self._load),
        }
        try:
            return canonical_nquads(_SafeProcessor(document).to_rdf(document, options))
        except Rejected:
            raise
        except Exception as cause:  # PyLD answers malformed input with many types, TypeError among them
            raise Invalid("json-ld-invalid", "The document is not valid JSON-LD.") from cause

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
        _refuse_crowded(expanded)
        return expanded

    def to_rdf(self, input_: Any, options: Any) -> Dataset:
        graphs = super().to_rdf(input_, options)
        dataset = {name: _distinct(triples) for name, triples in graphs.items()}
        if sum(map(len, dataset.values())) > QUADS_MAX:
            raise beyond(f"more than {QUADS_MAX} statements")
        if len(_blank_nodes(dataset)) > BLANK_NODES_MAX:
            raise beyond(f"more than {BLANK_NODES_MAX} nodes without an id")
        return dataset


def _contexts_named(document: JsonObject) -> int:
    """How many contexts the document names, at the top and within."""
    return sum(len(many(item.get("@context"))) for item, _ in jsonld_safety.objects(document))


def _refuse_crowded(expanded: list[Any]) -> None:
    """Refuse too many values of a property; what stands in several places of one id adds up."""
    values_of: Counter[tuple[Any, str]] = Counter()
    pending = list(expanded)
    while pending:
        node = pending.pop()
        for key, values in node.items():
            if isinstance(values, list):
                values_of[node.get("@id", id(node)), key] += len(values)
                pending.extend(value for value in values if isinstance(value, dict))
    if sum(math.comb(count, 2) for count in values_of.values()) > COMPARISONS_MAX:
        raise beyond("too many values of a property")


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


def _blank_nodes(dataset: Dataset) -> set[str]:
    blank = {name for name in dataset if name.startswith("_:")}
    for triples in dataset.values():
        for triple in triples:
            for term in (triple["subject"], triple["object"]):
                if term["type"] == "blank node":
                    blank.add(term["value"])
    return blank
