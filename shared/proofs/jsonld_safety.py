"""JSON-LD safe mode: what the signature would not cover, or would cover under another name, is refused.

Turning JSON-LD into RDF forgets quietly: undefined terms, unmapped types, relative or malformed IRIs, nulls
and empty arrays leave no quad behind, so they could be altered under a valid proof. Data Integrity demands
an error instead (DATA_LOSS_DETECTION_ERROR). Two walks give it: `refuse_unsignable_input` over the document
as written, `refuse_unsignable_expansion` over its expanded form, between which nothing can vanish, since the
pinned contexts use no index, language, id or type maps and no @nest or @reverse (a test holds them to it).

The IRI and language checks also keep a value from closing its N-Quads term and writing quads of its own.

A signature over the graph says nothing of how the graph was written, and verifiers read JSON by its names: a
`credentialStatus` whose name is written out as an IRI, or that stands in another object about the same
credential, leaves the same quads and would not be seen. So every member has to be a term (no two terms of the
pinned contexts mean one property, which a test holds them to), and one object alone speaks of the credential.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from shared.errors import Invalid
from shared.proofs import strictjson
from shared.proofs.contexts import ContextSet
from shared.proofs.strictjson import JsonObject, JsonValue, Path, path_text

_SPACES = r"\x00-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""Controls and all white space. `\\s` in a set is asked of each character by itself, in twice the time."""
_ABSOLUTE_IRI = re.compile(rf'[A-Za-z][A-Za-z0-9+.-]*:[^{_SPACES}<>"{{}}|^`\\]*')
_LANGUAGE_TAG = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
_VALUE_KEYWORDS = frozenset({"@value", "@type", "@language", "@direction"})
_ALIASED = {"@id": "id", "@type": "type"}
_LANG_STRING = "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString"


def is_absolute_iri(text: object) -> bool:
    """Whether `text` is an IRI with a scheme and without a character that N-Quads forbids in one."""
    return isinstance(text, str) and _ABSOLUTE_IRI.fullmatch(text) is not None


def data_loss(*reasons: str) -> Invalid:
    """The refusal of this module: the reasons name places, never values."""
    return Invalid("data-loss", "A part of the document would not be covered by the signature.", reasons)


def ambiguous(*reasons: str) -> Invalid:
    """The refusal of what could be read as another document than was signed: the reasons name places."""
    return Invalid(
        "spelling-ambiguous",
        "A part of the document is written so that it could be overlooked, although it is signed.",
        reasons,
    )


def check_contexts(document: JsonObject, contexts: ContextSet) -> None:
    """Refuse a document whose `@context`, at the top or within, is not a list of URLs in `contexts`.

    An inline context object is refused too: it could rename signed terms without touching a quad.
    """
    if "@context" not in document:
        raise Invalid("context-missing", "The document has no @context.")
    for item, path in objects(document):
        if "@context" in item:
            _check_context(item["@context"], (path, "@context"), contexts)


def refuse_unsignable_input(document: JsonObject, contexts: ContextSet) -> None:
    """Refuse what expansion would drop without a trace, what it would read in spite of another spelling, and
    what strict JSON would not have let in."""
    strictjson.check(document)
    check_contexts(document, contexts)
    for item, path in objects(document):
        for key, value in item.items():
            _refuse_other_spelling(key, item, (path, key))
            _refuse_vanishing(value, (path, key))
        if item is not document and len(item) > 1 and _is_about(item, document):
            raise ambiguous(f"{path_text(path)}: a second object about the document itself")


def refuse_unsignable_expansion(expanded: list[Any], document: JsonObject) -> None:
    """Refuse an expanded form of which a part would leave no quad; `document` serves to name the place."""
    if len(expanded) != 1:
        raise data_loss("$: the document makes no statement")
    pending: list[Any] = list(expanded)
    while pending:
        item = pending.pop()
        if "@value" in item:
            _check_value(item, document)
        elif "@list" in item:
            pending.extend(item["@list"])
        else:
            pending.extend(_check_node(item, document))


def dropped_property(term: str | None, document: JsonObject) -> Invalid:
    """The refusal of a property that expansion dropped; `term` is None where a context maps it to null."""
    if term is None:
        return data_loss("a property is excluded by its context")
    for item, path in objects(document):
        if term in item:
            return data_loss(f"{path_text((path, term))}: no context defines this property")
    return data_loss("a property that no context defines")


def _check_context(value: JsonValue, path: Path, contexts: ContextSet) -> None:
    urls = value if isinstance(value, list) else [value]
    if not urls:
        raise Invalid("context-missing", "The document has no @context.", (path_text(path),))
    for url in urls:
        if not isinstance(url, str):
            raise Invalid(
                "context-inline", "The document defines its own terms in @context.", (path_text(path),)
            )
        contexts.document(url)


def objects(root: JsonObject) -> Iterator[tuple[JsonObject, Path]]:
    """Every object of the document with its place. The depth is bounded by `strictjson.check`."""
    stack: list[tuple[JsonValue, Path]] = [(root, None)]
    while stack:
        item, path = stack.pop()
        if isinstance(item, dict):
            yield item, path
            stack.extend((child, (path, key)) for key, child in item.items())
        elif isinstance(item, list):
            stack.extend((child, (path, index)) for index, child in enumerate(item))


def _refuse_other_spelling(key: str, item: JsonObject, path: Path) -> None:
    """A member is a term of a context; keywords stand where there is no term for them."""
    if key == "@context" or (key in _VALUE_KEYWORDS and "@value" in item):
        return
    if key in _ALIASED:
        raise ambiguous(f"{path_text(path)}: has to be written {_ALIASED[key]}")
    if key.startswith("@"):
        raise data_loss(f"{path_text(path)}: this JSON-LD keyword is not signed here")
    if ":" in key:
        raise ambiguous(f"{path_text(path)}: an IRI where the name of a property has to stand")


def _is_about(item: JsonObject, document: JsonObject) -> bool:
    return "id" in document and item.get("id") == document["id"]


def _refuse_vanishing(value: JsonValue, path: Path) -> None:
    """A null or an empty array says nothing in RDF. An array in an array would be flattened."""
    if value is None:
        raise data_loss(f"{path_text(path)}: null is not signed")
    if isinstance(value, list):
        if not value:
            raise data_loss(f"{path_text(path)}: an empty array is not signed")
        for index, element in enumerate(value):
            if element is None or isinstance(element, list):
                raise data_loss(f"{path_text((path, index))}: null or a nested array is not signed")


def _check_value(item: dict[str, Any], document: JsonObject) -> None:
    datatype, language, value = item.get("@type"), item.get("@language"), item["@value"]
    if datatype == "@json":
        return
    if datatype is not None and (not is_absolute_iri(datatype) or datatype == _LANG_STRING):
        raise data_loss(f"{_place_of(datatype, document)}: not a datatype that can be signed")
    if language is not None and not _LANGUAGE_TAG.fullmatch(language):
        raise data_loss(f"{_place_of(language, document)}: not a language tag")
    if isinstance(value, float) and float(f"{value:.15E}") != value:
        raise data_loss(f"{_place_of(value, document)}: a number with more digits than are signed")


def _check_node(item: dict[str, Any], document: JsonObject) -> Iterator[Any]:
    for key, value in item.items():
        if key == "@id":
            if not is_absolute_iri(value):
                raise data_loss(f"{_place_of(value, document)}: not an absolute IRI")
        elif key == "@type":
            for type_ in value:
                if not is_absolute_iri(type_):
                    raise data_loss(f"{_place_of(type_, document)}: no context defines this type")
        elif key == "@graph":
            yield from value
        elif not is_absolute_iri(key) or not value:
            raise data_loss(f"{_place_of(key, document)}: a property that leaves no statement")
        else:
            yield from value


def _place_of(value: object, document: JsonObject) -> str:
    """Where `value` stands in the document, as key or value; expansion leaves what it cannot map as it is."""
    for item, path in objects(document):
        for key, child in item.items():
            if value in (key, child):
                return path_text((path, key))
            if isinstance(child, list) and value in child:
                return path_text(((path, key), child.index(value)))
    return "$"
