"""Proof chains (Data Integrity 1.0 §2.1.2): which proofs a proof continues, and what it therefore covers.

A link covers the document with exactly the proofs that it names in `previousProof`, values included, so it
says: I signed after these, and over these. Proofs that are named by nobody are not covered by anybody.

Refuses a name that is no proof's, names that are no strings, more than a few, and circles: two proofs cannot
each have been made before the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.errors import Invalid
from shared.proofs.strictjson import JsonObject, JsonValue

PREVIOUS_MAX = 8


def previous_of(proof: JsonObject) -> tuple[str, ...]:
    """The ids in `previousProof`: none, one as a string, or several as an array of strings."""
    if "previousProof" not in proof:
        return ()
    value = proof["previousProof"]
    names = value if isinstance(value, list) else [value]
    previous = tuple(name for name in names if isinstance(name, str))
    if len(previous) != len(names) or not 0 < len(previous) <= PREVIOUS_MAX:
        raise malformed("the previousProof of a proof is neither an id nor a few of them")
    if len(set(previous)) != len(previous):
        raise malformed("the previousProof of a proof names one id twice")
    return previous


def document_with(unsecured: JsonObject, proofs: Sequence[JsonValue], previous: Sequence[str]) -> JsonObject:
    """`unsecured` with those of `proofs` whose ids are in `previous`, in their order; all of them exist.

    Data Integrity 1.0 §4.3 step 4 and §4.5: raises `Invalid` with code `proof-malformed` if one does not.
    """
    if not previous:
        return unsecured
    matching = [proof for proof in proofs if isinstance(proof, dict) and proof.get("id") in previous]
    if len(matching) != len(previous):
        raise malformed("a proof continues one that is not there")
    return {**unsecured, "proof": list[JsonValue](matching)}


def refuse_circles(previous: Mapping[str, Sequence[str]]) -> None:
    """Raise `Invalid` if a proof comes, over whatever others, before itself; `previous` by id of a proof."""
    before = {name: set(names) for name, names in previous.items()}
    while before:
        first = [name for name, names in before.items() if not names & before.keys()]
        if not first:
            raise malformed("the proofs of a chain continue each other in a circle")
        for name in first:
            del before[name]


def malformed(reason: str) -> Invalid:
    """The refusal of what is no proof, or no proof that this software may trust."""
    return Invalid("proof-malformed", "The proof is not one that can be checked.", (reason,))
