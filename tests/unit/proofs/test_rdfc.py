"""Canonical RDF (RDFC-1.0) against its published suite and an independent implementation."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyoxigraph
import pytest

from shared.errors import Invalid
from shared.proofs import contexts
from shared.proofs.contexts import CREDENTIALS_V2, OPEN_BADGES_V3, PINNED, ContextSet
from shared.proofs.rdfc import Canonicaliser
from shared.proofs.safe_processor import BLANK_NODES_MAX
from shared.proofs.strictjson import JsonObject
from tests.unit.proofs.nquads_suite import canonical
from tests.vocabulary import PROPERTIES, terms_of

RDF_CANON = Path(__file__).parents[2] / "vectors" / "rdf-canon"
ENTRIES = json.loads((RDF_CANON / "manifest.jsonld").read_bytes())["entries"]
EXCEPTIONS = {
    "#test060c": pytest.mark.xfail(
        strict=True, reason="PyLD escapes neither \\b nor \\f nor DEL; strict JSON lets none of them in"
    ),
    "#test075c": pytest.mark.xfail(strict=True, reason="SHA-384, which no suite here uses"),
}


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(entry, id=entry["id"], marks=EXCEPTIONS.get(entry["id"], ()))
        for entry in ENTRIES
        if entry["type"] == "rdfc:RDFC10EvalTest"
    ],
)
def test_the_rdfc_1_0_suite_comes_out_byte_for_byte(entry: dict[str, str]) -> None:
    result = canonical((RDF_CANON / entry["action"]).read_text("utf-8"))
    assert result == (RDF_CANON / entry["result"]).read_text("utf-8")


def test_the_suite_has_the_tests_that_are_run_here_and_one_poison_that_the_workers_get() -> None:
    assert [entry["id"] for entry in ENTRIES if entry["type"] == "rdfc:RDFC10NegativeEvalTest"] == [
        "#test074c"
    ]
    # The 21 map tests check labels, which the canonical N-Quads of the same 64 inputs show already.
    kinds = [entry["type"] for entry in ENTRIES]
    assert (kinds.count("rdfc:RDFC10EvalTest"), kinds.count("rdfc:RDFC10MapTest"), len(kinds)) == (64, 21, 86)


def inlined(document: JsonObject) -> bytes:
    """For the oracle, which loads no contexts: the document with the contexts' text in it."""
    urls = document["@context"]
    assert isinstance(urls, list)
    bodies = [PINNED.document(str(url))["@context"] for url in urls]
    return json.dumps({**document, "@context": bodies}).encode()


def test_an_independent_canonicaliser_agrees_on_a_realistic_badge(badge: JsonObject) -> None:
    dataset = pyoxigraph.Dataset(pyoxigraph.parse(inlined(badge), pyoxigraph.RdfFormat.JSON_LD))
    dataset.canonicalize(pyoxigraph.CanonicalizationAlgorithm.RDFC_1_0)
    oracle = sorted(f"{quad} .\n" for quad in dataset)
    assert Canonicaliser().nquads(badge) == "".join(oracle)
    assert len(oracle) > 40


def test_spelling_that_means_nothing_does_not_change_the_form(badge: JsonObject) -> None:
    canonicaliser = Canonicaliser()
    expected = canonicaliser.nquads(badge)
    reordered = json.loads(json.dumps(badge, sort_keys=True))
    reordered["credentialSubject"]["achievement"]["alignment"].reverse()
    assert canonicaliser.nquads(reordered) == expected


def test_both_forms_of_the_open_badges_context_give_the_same_form(badge: JsonObject, vectors: Path) -> None:
    april = PINNED.with_context(
        OPEN_BADGES_V3, (vectors / "contexts" / "ob-3.0.3-april-2025.json").read_bytes()
    )
    assert april.digest(OPEN_BADGES_V3) != PINNED.digest(OPEN_BADGES_V3)
    assert Canonicaliser(april).nquads(badge) == Canonicaliser().nquads(badge)


def test_a_statement_made_twice_is_one_statement(badge: JsonObject) -> None:
    once, twice = copy.deepcopy(badge), copy.deepcopy(badge)
    achievement(once)["creditsAvailable"] = 2
    achievement(twice)["creditsAvailable"] = [2, "2"]
    canonicaliser = Canonicaliser()
    assert canonicaliser.nquads(twice) == canonicaliser.nquads(once)


def test_a_base_direction_is_signed(badge: JsonObject) -> None:
    badge["name"] = {"@value": "Mesures", "@language": "fr", "@direction": "ltr"}
    assert '"Mesures"^^<https://www.w3.org/ns/i18n#fr_ltr>' in Canonicaliser().nquads(badge)


def achievement(badge: JsonObject) -> dict[str, Any]:
    subject: Any = badge["credentialSubject"]
    body: dict[str, Any] = subject["achievement"]
    return body


LOSSES: dict[str, tuple[Callable[[dict[str, Any]], object], str, str]] = {
    "an undefined property": (lambda b: b.update(grade="A"), "data-loss", "$.grade"),
    "an undefined property deep inside": (
        lambda b: achievement(b)["criteria"].update(rubrik="x"),
        "data-loss",
        "$.credentialSubject.achievement.criteria.rubrik",
    ),
    "an undefined property that looks like a keyword": (
        lambda b: b.update({"@grade": 1}),
        "data-loss",
        "@grade",
    ),
    "an undefined type": (lambda b: b["type"].append("NorthBadge"), "data-loss", "$.type[2]"),
    "a type that is a blank node": (lambda b: b["type"].append("_:b1"), "data-loss", "$.type[2]"),
    "a relative id": (lambda b: achievement(b).update(id="field/2"), "data-loss", "achievement.id"),
    "an empty id": (lambda b: achievement(b).update(id=""), "data-loss", "achievement.id"),
    "a blank node id": (lambda b: achievement(b).update(id="_:b7"), "data-loss", "achievement.id"),
    "a relative address where an IRI is due": (
        lambda b: b["credentialStatus"].update(statusListCredential="/status/7"),
        "data-loss",
        "$.credentialStatus.statusListCredential",
    ),
    "an IRI with a space": (lambda b: b.update(id="urn:x y"), "data-loss", "$.id"),
    "an IRI with a line feed at its end": (lambda b: b.update(id="urn:x\n"), "data-loss", "$.id"),
    "an IRI with a no-break space": (lambda b: b.update(id="urn:x\u00a0y"), "data-loss", "$.id"),
    "an IRI that closes its bracket": (lambda b: b.update(id="urn:x>"), "data-loss", "$.id"),
    "an IRI with a backslash": (lambda b: b.update(id="urn:\\u0041"), "data-loss", "$.id"),
    "a property by its IRI": (
        lambda b: b.update({"https://www.w3.org/2018/credentials#issuer": b.pop("issuer")}),
        "spelling-ambiguous",
        "an IRI",
    ),
    "a property by a prefix": (lambda b: b.update({"urn:a": "x"}), "spelling-ambiguous", '$["urn:a"]'),
    "a property that is a blank node": (lambda b: b.update({"_:p": "x"}), "spelling-ambiguous", "_:p"),
    "an id by its keyword": (lambda b: b.update({"@id": b.pop("id")}), "spelling-ambiguous", '$["@id"]'),
    "a type by its keyword": (
        lambda b: achievement(b).update({"@type": achievement(b).pop("type")}),
        "spelling-ambiguous",
        'achievement["@type"]',
    ),
    "a second object about the document": (
        lambda b: achievement(b).update(related=[{"id": b["id"], "type": ["Related"]}]),
        "spelling-ambiguous",
        "related[0]",
    ),
    "null": (lambda b: b.update(description=None), "data-loss", "$.description"),
    "null in an array": (lambda b: achievement(b)["tag"].append(None), "data-loss", "tag[2]"),
    "an empty array": (lambda b: achievement(b).update(tag=[]), "data-loss", "achievement.tag"),
    "an empty array as type": (lambda b: b["issuer"].update(type=[]), "data-loss", "$.issuer.type"),
    "an array in an array": (lambda b: achievement(b).update(tag=[["a"]]), "data-loss", "tag[0]"),
    "an @index": (lambda b: achievement(b).update({"@index": "1"}), "data-loss", "@index"),
    "an @included": (lambda b: b.update({"@included": [{"id": "urn:a"}]}), "data-loss", "@included"),
    "a @reverse": (lambda b: b.update({"@reverse": {"name": {"id": "urn:a"}}}), "data-loss", "@reverse"),
    "a language without a value": (lambda b: b.update(name={"@language": "en"}), "data-loss", "$.name"),
    "a direction without a value": (lambda b: b.update(name={"@direction": "ltr"}), "data-loss", "$.name"),
    "a malformed language": (
        lambda b: b.update(name={"@value": "x", "@language": 'en .\n<urn:a> <urn:b> "c"'}),
        "data-loss",
        "$.name",
    ),
    "a datatype that closes its bracket": (
        lambda b: b.update(name={"@value": "x", "@type": "urn:a>b"}),
        "data-loss",
        "$.name",
    ),
    "a language string without a language": (
        lambda b: b.update(
            name={"@value": "x", "@type": "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString"}
        ),
        "data-loss",
        "$.name",
    ),
    "a number of more digits than are signed": (
        lambda b: achievement(b).update(creditsAvailable=0.30000000000000004),
        "data-loss",
        "creditsAvailable",
    ),
    "nothing but an id": (
        lambda b: [b.pop(key) for key in list(b) if key not in ("@context", "id")],
        "data-loss",
        "$",
    ),
    "no @context": (lambda b: b.pop("@context"), "context-missing", ""),
    "an empty @context": (lambda b: b.update({"@context": []}), "context-missing", ""),
    "an unknown context": (lambda b: b["@context"].append("https://north.example/v1"), "context-unknown", ""),
    "a pinned context spelt otherwise": (
        lambda b: b["@context"].append("https://www.w3.org/ns/./credentials/v2"),
        "context-unknown",
        "",
    ),
    "a context of its own": (
        lambda b: b["@context"].append({"label": "https://schema.org/name"}),
        "context-inline",
        "@context",
    ),
    "a context of its own deep inside": (
        lambda b: achievement(b).update({"@context": {"label": "https://schema.org/name"}}),
        "context-inline",
        "achievement",
    ),
    "an unknown context deep inside": (
        lambda b: achievement(b).update({"@context": "https://north.example/v1"}),
        "context-unknown",
        "",
    ),
    "two ids for one node": (lambda b: b.update({"@id": "urn:other"}), "spelling-ambiguous", '$["@id"]'),
    "an id that is a number": (lambda b: b.update(id=7), "json-ld-invalid", ""),
    "a type that is a number": (lambda b: achievement(b)["criteria"].update(type=7), "json-ld-invalid", ""),
    "a protected term redefined by another pinned context": (
        lambda b: b["@context"].append("https://www.w3.org/2018/credentials/v1"),
        "json-ld-invalid",
        "",
    ),
    "a control character": (lambda b: b.update(name="a\bb"), "json-character", "$.name"),
    "more blank nodes than the limit": (
        lambda b: achievement(b).update(
            alignment=[
                {"type": ["Alignment"], "targetName": str(n), "targetUrl": "urn:t"}
                for n in range(BLANK_NODES_MAX)
            ]
        ),
        "canonicalisation-limit",
        "nodes",
    ),
    "more quads than the limit": (
        lambda b: b.update(
            evidence=[
                {"id": f"urn:e:{n}", "type": ["Evidence"], "name": [str(name) for name in range(50)]}
                for n in range(50)
            ]
        ),
        "canonicalisation-limit",
        "statements",
    ),
}


@pytest.mark.parametrize(("change", "code", "place"), LOSSES.values(), ids=LOSSES.keys())
def test_what_the_signature_would_not_cover_is_refused(
    badge: JsonObject, change: Callable[[JsonObject], object], code: str, place: str
) -> None:
    change(badge)
    with pytest.raises(Invalid) as refusal:
        Canonicaliser().nquads(badge)
    assert refusal.value.code == code
    assert place in " ".join(refusal.value.reasons)


def test_a_refused_document_leaves_nothing_behind_for_the_next(badge: JsonObject) -> None:
    canonicaliser = Canonicaliser()
    expected = Canonicaliser().nquads(badge)
    for change, _, _ in LOSSES.values():
        hostile = copy.deepcopy(badge)
        change(hostile)
        with pytest.raises(Invalid):
            canonicaliser.nquads(hostile)
        assert canonicaliser.nquads(badge) == expected


def test_canonicalisers_with_different_contexts_do_not_mix(
    badge: JsonObject, with_examples: ContextSet
) -> None:
    badge["@context"] = [CREDENTIALS_V2, "https://www.w3.org/ns/credentials/examples/v2"]
    assert "ns/credentials/examples#" in Canonicaliser(with_examples).nquads(badge)
    with pytest.raises(Invalid, match="context-unknown"):
        Canonicaliser().nquads(badge)


def test_a_canonicaliser_travels_with_its_contexts(badge: JsonObject, with_examples: ContextSet) -> None:
    original = Canonicaliser(with_examples)
    badge["grade"] = "A"
    badge["@context"] = [CREDENTIALS_V2, "https://www.w3.org/ns/credentials/examples/v2"]
    assert pickle.loads(pickle.dumps(original)).nquads(badge) == original.nquads(badge)  # noqa: S301


def test_the_document_and_the_contexts_stay_as_they_are(badge: JsonObject) -> None:
    relative = b'{"@context": ["v2", {"room": "https://north.example/room"}]}'
    url = "https://www.w3.org/ns/credentials/north"
    contexts_in_use = PINNED.with_context(url, relative)
    badge["@context"] = [url, OPEN_BADGES_V3]
    before, documents = copy.deepcopy(badge), copy.deepcopy(contexts_in_use.documents)
    Canonicaliser(contexts_in_use).nquads(badge)
    assert badge == before
    assert documents == contexts_in_use.documents


def test_the_digests_of_the_pinned_contexts_are_the_published_ones() -> None:
    assert (
        contexts.digest(CREDENTIALS_V2) == "59955ced6697d61e03f2b2556febe5308ab16842846f5b586d7f1f7adec92734"
    )
    assert (
        contexts.digest(OPEN_BADGES_V3) == "3d34f4d4ef1bce691106e63798beb5e7b862ba841423f5ee1e53ab7ddf3bca84"
    )
    with pytest.raises(Invalid, match="context-unknown"):
        contexts.digest("https://north.example/v1")


def test_the_pinned_contexts_use_only_what_safe_mode_reasons_about() -> None:
    containers, keywords = set(), set()

    def read(value: Any) -> None:
        if isinstance(value, dict):
            for key, child in value.items():
                if key == "@container":
                    containers.add(child)
                elif key.startswith("@"):
                    keywords.add(key)
                read(child)
        elif isinstance(value, list):
            for child in value:
                read(child)

    read(list(PINNED.documents.values()))
    assert containers <= {"@set", "@list", "@graph"}
    assert keywords <= {"@context", "@id", "@type", "@version", "@protected", "@vocab"}


def test_no_pinned_context_gives_a_forbidden_keyword_another_name() -> None:
    targets = {target for document in PINNED.documents.values() for _, target in terms_of(document)}
    assert {target for target in targets if target.startswith("@")} == {"@id", "@type"}


def test_no_two_terms_of_the_pinned_contexts_mean_one_property() -> None:
    """Else a signed member could be renamed under its signature. Classes begin with a capital."""
    assert "credentialStatus" in PROPERTIES
    assert len(set(PROPERTIES.values())) == len(PROPERTIES)
