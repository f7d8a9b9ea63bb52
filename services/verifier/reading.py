"""Reads a signed document: everything that its bytes alone decide, so that it may be kept for the next time.

Bytes → strict JSON → the shape of a credential (VC Data Model 2.0) → contexts on the list of pinned ones →
proofs → for each the 64 bytes that were signed. Canonicalising happens in workers that can be killed.

A JCS proof covers every member of the text but says nothing about what the members mean; so such a document
is held to JSON-LD's safe mode too. Keys, times and status lists come later (examine.py, domain.py).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from services.verifier.facts import Objection, Outcome
from services.verifier.objections import failed, objection
from shared.errors import Invalid
from shared.proofs import dataintegrity, jsonld_safety, strictjson, vcdm
from shared.proofs.contexts import PINNED
from shared.proofs.dataintegrity import Proof
from shared.proofs.strictjson import JsonObject, JsonValue
from shared.proofs.suites import SUITES
from shared.proofs.suites.eddsa_rdfc_2022 import EddsaRdfc2022
from shared.proofs.workers import CanonicalWorkers

_MEANING = frozenset({"context-missing", "context-inline", "context-unknown", "data-loss", "json-ld-invalid"})
"""Refusals of a canonicaliser that are about words, not about the signature."""


@dataclass(frozen=True, slots=True)
class ReadProof:
    """A proof, and the bytes it claims to sign (an Objection where they cannot be made)."""

    proof: Proof
    hash_data: bytes | Objection


@dataclass(frozen=True, slots=True)
class Reading:
    """What the bytes say. Where `unreadable` is set, or `contexts` has failed, the rest is empty."""

    document: JsonObject
    unreadable: Objection | None = None
    contexts: Objection | None = None
    proofs: tuple[ReadProof, ...] | Objection = ()


def parse(data: bytes) -> JsonValue | Objection:
    """The value of strict JSON bytes, or why they are refused."""
    try:
        return strictjson.loads(data)
    except Invalid as refusal:
        return objection(refusal)


async def read(value: JsonValue, workers: CanonicalWorkers) -> Reading:
    """Read a parsed document. Raises Unavailable if the workers have too much to do; never anything else."""
    problems = vcdm.problems(value)
    malformed = tuple(problem for problem in problems if not _of_context(problem))
    if malformed or not isinstance(value, dict):
        message = "It is not built as a credential must be."
        return Reading({}, unreadable=failed("credential-malformed", message, malformed))
    contexts = _contexts(value, problems)
    if contexts is not None and contexts.outcome is Outcome.FAILED:
        return Reading(value, contexts=contexts)
    try:
        proofs = dataintegrity.parse_proofs(value)
    except Invalid as refusal:
        return Reading(value, contexts=contexts, proofs=objection(refusal))
    answers = await asyncio.gather(*(_hash(proof, workers) for proof in proofs))
    meaning = next((answer for answer in answers if _is_about_words(answer)), None)
    if contexts is None and isinstance(meaning, Invalid):
        contexts = objection(meaning)
    read_proofs = tuple(
        ReadProof(proof, objection(answer) if isinstance(answer, Invalid) else answer)
        for proof, answer in zip(proofs, answers, strict=True)
    )
    return Reading(value, contexts=contexts, proofs=read_proofs)


def many(value: JsonValue) -> list[JsonValue]:
    """One or several, as JSON-LD writes them, always as a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _of_context(problem: str) -> bool:
    return problem.startswith("$.@context")


def _contexts(document: JsonObject, problems: list[str]) -> Objection | None:
    wrong = tuple(filter(_of_context, problems))
    if wrong:
        return failed("context-missing", "It does not say which vocabularies it uses.", wrong)
    try:
        jsonld_safety.check_contexts(document, PINNED)
    except Invalid as refusal:
        return objection(refusal)
    return None


async def _hash(proof: Proof, workers: CanonicalWorkers) -> bytes | Invalid:
    """The bytes that `proof` signs, given only for a document all of whose words are defined."""
    pair = [(proof.document, proof.config)]
    (hashed,) = await workers.hash_data(proof.cryptosuite, pair)
    if not SUITES[proof.cryptosuite].own_context or isinstance(hashed, Invalid):
        return hashed
    (safe,) = await workers.hash_data(EddsaRdfc2022.cryptosuite, pair)
    return safe if isinstance(safe, Invalid) else hashed


def _is_about_words(answer: bytes | Invalid) -> bool:
    return isinstance(answer, Invalid) and answer.code in _MEANING
