"""PyLD's processor in safe mode: a document becomes a dataset and that its canonical N-Quads, within limits.

The document is expanded once; safe mode inspects that very expansion and canonicalisation continues from it.
PyLD takes a tenth of a second to load, which is why only rdfc.py imports this, once it has a document.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

from pyld import jsonld
from pyld.context_resolver import ContextResolver

from shared.errors import Invalid, Rejected
from shared.proofs import jsonld_safety
from shared.proofs.labelling import Dataset, beyond, canonical_nquads
from shared.proofs.several import many
from shared.proofs.strictjson import JsonObject

QUADS_MAX = 2_000
BLANK_NODES_MAX = 64
COMPARISONS_MAX = 100_000
"""PyLD compares each value of a property with all the others of its node: 447 values of one come to this."""
CONTEXTS_MAX = 32
"""Entries of all @context together: each is processed anew upon the ones before it."""

Load = Callable[[str, dict[str, Any]], dict[str, Any]]
"""PyLD's document loader: URL and options → what stands there."""


def nquads(document: JsonObject, load: Load, processed: dict[str, Any]) -> str:
    """The canonical N-Quads of `document`; `load` gives contexts, `processed` keeps what became of them.

    Raises `Invalid` with `data-loss`, `context-*`, `json-ld-invalid` or `canonicalisation-limit`.
    """
    if _contexts_named(document) > CONTEXTS_MAX:
        raise beyond(f"more than {CONTEXTS_MAX} contexts")
    options = {
        "base": None,  # left out, PyLD would resolve relative IRIs against an address of its own
        "rdfDirection": "i18n-datatype",  # as the deployed verifiers do; otherwise @direction is lost
        "documentLoader": load,
        "contextResolver": ContextResolver(processed, load),
    }
    try:
        return canonical_nquads(_SafeProcessor(document).to_rdf(document, options))
    except Rejected:
        raise
    except Exception as cause:  # PyLD answers malformed input with many types, TypeError among them
        raise Invalid("json-ld-invalid", "The document is not valid JSON-LD.") from cause


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
