"""Small documents that would keep a canonicaliser busy: refused after a bounded number of steps."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from pyld import jsonld

from shared.errors import Invalid
from shared.proofs import labelling
from shared.proofs.labelling import WORK_MAX, canonical_nquads
from shared.proofs.rdfc import Canonicaliser
from shared.proofs.safe_processor import CONTEXTS_MAX
from shared.proofs.strictjson import JsonObject

RDF_CANON = Path(__file__).parents[2] / "vectors" / "rdf-canon"
ENTRIES = json.loads((RDF_CANON / "manifest.jsonld").read_bytes())["entries"]


def dataset(path: str) -> labelling.Dataset:
    parsed: labelling.Dataset = jsonld.JsonLdProcessor.parse_nquads((RDF_CANON / path).read_text("utf-8"))
    return parsed


def refusal(document: JsonObject) -> Invalid:
    with pytest.raises(Invalid) as refused:
        Canonicaliser().nquads(document)
    return refused.value


@pytest.mark.parametrize(
    "entry",
    [entry for entry in ENTRIES if entry["type"] == "rdfc:RDFC10EvalTest"],
    ids=lambda entry: str(entry["id"]),
)
def test_no_honest_graph_of_the_suite_is_refused(entry: dict[str, str]) -> None:
    statements = canonical_nquads(dataset(entry["action"])).count("\n")
    assert statements == (RDF_CANON / entry["result"]).read_text("utf-8").count("\n")


def test_the_poison_of_the_suite_is_refused_by_counting() -> None:
    with pytest.raises(Invalid) as refused:
        canonical_nquads(dataset("rdfc10/test074-in.nq"))
    assert refused.value.code == "canonicalisation-limit"


@pytest.mark.parametrize("steps", [1, 100, WORK_MAX])
def test_the_bound_is_of_steps_and_not_of_time(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each order that is tried costs a copy of the labels: never more of them than steps."""
    copies = 0

    class Counted(labelling._Labels):
        def __init__(self, *given: Any) -> None:
            nonlocal copies
            copies += 1
            super().__init__(*given)

    monkeypatch.setattr(labelling, "_Labels", Counted)
    with pytest.raises(Invalid):
        canonical_nquads(dataset("rdfc10/test074-in.nq"), steps)
    assert copies <= steps + 2


def test_a_badge_full_of_like_nodes_is_refused_and_one_with_a_few_is_not(badge: JsonObject) -> None:
    few: Any = copy.deepcopy(badge)
    many: Any = copy.deepcopy(badge)
    alignment = {"type": ["Alignment"], "targetName": "a", "targetUrl": "urn:t"}
    few["credentialSubject"]["result"] = [{"type": ["Result"], "value": "1", "alignment": [alignment] * 5}]
    many["credentialSubject"]["result"] = [
        {"type": ["Result"], "value": "1", "alignment": [alignment] * 11} for _ in range(2)
    ]
    assert Canonicaliser().nquads(few)
    assert refusal(many).reasons == ("too many nodes without an id that look alike",)


def test_many_values_of_one_property_are_refused_wherever_they_stand(badge: JsonObject) -> None:
    names = [f"Item {number}" for number in range(450)]
    one = {"id": "urn:e", "type": ["Evidence"]}
    together: JsonObject = {**badge, "evidence": [{**one, "name": names}]}
    scattered: JsonObject = {
        **badge,
        "evidence": [{**one, "name": names[start : start + 50]} for start in range(0, 450, 50)],
    }
    several: JsonObject = {
        **badge,
        "evidence": [{**one, "id": f"urn:e:{part}", "name": names[:200]} for part in range(6)],
    }
    for crowded in together, scattered, several:
        assert refusal(crowded).reasons == ("too many values of a property",)
    assert Canonicaliser().nquads({**badge, "evidence": [{**one, "name": names[10:]}]})


def test_many_contexts_are_refused_wherever_they_stand(badge: JsonObject) -> None:
    own: Any = badge["@context"]
    repeated = {**badge, "@context": [*own, *[own[-1]] * (CONTEXTS_MAX - len(own))]}
    assert Canonicaliser().nquads(repeated) == Canonicaliser().nquads(badge)
    inside: Any = copy.deepcopy(repeated)
    inside["credentialSubject"]["achievement"]["@context"] = own[-1]
    longer = {**repeated, "@context": [*repeated["@context"], own[-1]]}
    for crowded in inside, longer:
        assert refusal(crowded).reasons == (f"more than {CONTEXTS_MAX} contexts",)
