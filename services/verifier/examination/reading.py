"""Reads a signed document: everything that its bytes alone decide, so that it may be kept for the next time.

Strict JSON → the shape of a credential or a presentation (VC Data Model 2.0) → contexts on the list of
pinned ones → its signatures: Data Integrity proofs, or the one of a token (VC-JOSE-COSE, Open Badges 3.0).
What makes their bytes is canonicalised in workers that can be killed, within the allowance of a verification.

A token or a JCS proof covers every member of the text but says nothing about what the members mean; so such a
document is held to JSON-LD's safe mode too. Keys, times and status lists come later (examine.py, domain.py).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from services.verifier.domain.facts import Objection, Outcome
from services.verifier.examination import presentation_shape
from services.verifier.examination.objections import failed, objection
from shared.errors import Invalid
from shared.proofs import (
    dataintegrity,
    datetimes,
    jsonld_safety,
    jws,
    safe_mode,
    strictjson,
    vc_jwt,
    vcdm,
)
from shared.proofs.allowance import Allowance
from shared.proofs.contexts import PINNED, ContextSet
from shared.proofs.dataintegrity import Proof
from shared.proofs.public_keys import PublicKey
from shared.proofs.strictjson import JsonObject, JsonValue
from shared.proofs.suites import SUITES
from shared.proofs.vc_jwt import Form, SecuredDocument

_MEANING = frozenset(
    {
        "context-missing",
        "context-inline",
        "context-unknown",
        "data-loss",
        "json-ld-invalid",
        "spelling-ambiguous",
    }
)
"""Refusals of a canonicaliser that are about words, not about the signature."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a document is expected to be, and by which right its signer signs."""

    name: str
    problems: Callable[[JsonValue], list[str]]
    purpose: str
    forms: frozenset[Form]
    signer: str


CREDENTIAL = Kind(
    "credential",
    vcdm.problems,
    dataintegrity.ASSERTION,
    frozenset({Form.CREDENTIAL, Form.OPEN_BADGE}),
    "issuer",
)
PRESENTATION = Kind(
    "presentation",
    presentation_shape.problems,
    dataintegrity.AUTHENTICATION,
    frozenset({Form.PRESENTATION}),
    "holder",
)


@dataclass(frozen=True, slots=True)
class ReadProof:
    """A signature, whoever made it: `check` tells whether a key did, or is why that cannot be told.

    `verification_method` is None where the signature brings `key` along instead of naming one. `domains` and
    `challenge` say for whom and for which request it was made.
    """

    verification_method: str | None
    check: Callable[[PublicKey], bool] | Objection
    created: datetime | None = None
    expires: datetime | None = None
    domains: tuple[str, ...] = ()
    challenge: str | None = None
    key: PublicKey | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What the bytes say. Where `unreadable` is set, or `contexts` has failed, the rest is empty.

    `signer` is the identifier of whoever has to have signed: the issuer, or the holder of a presentation.
    """

    document: JsonObject
    kind: Kind = CREDENTIAL
    unreadable: Objection | None = None
    contexts: Objection | None = None
    proofs: tuple[ReadProof, ...] | Objection = ()

    @property
    def is_hashed(self) -> bool:
        """Whether the bytes that each proof signs are known; with them a signature can be checked."""
        read_proofs = self.proofs if isinstance(self.proofs, tuple) else ()
        return self.contexts is None and not any(isinstance(each.check, Objection) for each in read_proofs)

    @property
    def signer(self) -> str:
        named = self.document.get(self.kind.signer)
        identifier = named.get("id") if isinstance(named, dict) else named
        if isinstance(identifier, str):
            return identifier
        # A presentation need not name its holder: then it is whoever signed.
        first = self.proofs[0].verification_method if isinstance(self.proofs, tuple) and self.proofs else None
        return (first or "").partition("#")[0] if self.kind is PRESENTATION else ""


def parse(data: bytes) -> JsonValue | Objection:
    """The value of strict JSON bytes, or why they are refused."""
    try:
        return strictjson.loads(data)
    except Invalid as refusal:
        return objection(refusal)


async def read(
    value: JsonValue, allowance: Allowance, kind: Kind = CREDENTIAL, known: ContextSet = PINNED
) -> Reading:
    """Read a parsed document, or a token as a string or in its envelope; `known` are the workers' contexts.

    Raises Unavailable if the workers have too much to do, or too much of this caller; never anything else.
    """
    try:
        token = value if isinstance(value, str) else vc_jwt.enveloped(value)
        secured = None if token is None else vc_jwt.read(token)
    except Invalid as refusal:
        return Reading({}, kind, unreadable=objection(refusal))
    misplaced = None if secured is None else _misplaced(secured, kind)
    if misplaced is not None:
        return Reading({}, kind, unreadable=misplaced)
    document = value if secured is None else secured.document
    problems = kind.problems(document)
    malformed = tuple(problem for problem in problems if not _of_context(problem))
    if malformed or not isinstance(document, dict):
        message = f"It is not built as a {kind.name} must be."
        return Reading({}, kind, unreadable=failed("credential-malformed", message, malformed))
    contexts = _contexts(document, problems, known)
    if contexts is not None and contexts.outcome is Outcome.FAILED:
        return Reading(document, kind, contexts=contexts)
    if secured is not None:
        return await _token_reading(secured, kind, contexts, allowance)
    return await _proofs_reading(document, kind, contexts, allowance)


def _misplaced(secured: SecuredDocument, kind: Kind) -> Objection | None:
    if secured.form not in kind.forms:
        return failed("token-malformed", f"The token is not one of a {kind.name}.")
    if kind is PRESENTATION and not presentation_shape.enveloped_alone(secured.document):
        message = "A token of a presentation holds no credentials but enveloped ones."
        return failed("token-malformed", message)
    return None


async def _token_reading(
    secured: SecuredDocument, kind: Kind, contexts: Objection | None, allowance: Allowance
) -> Reading:
    safe = await allowance.hash_proofs(safe_mode.SUITE, secured.document, [safe_mode.ANY_OPTIONS])
    if contexts is None and isinstance(safe, Invalid):
        contexts = objection(safe)
    starts = [moment for moment in (secured.signed_at, secured.not_before) if moment is not None]
    proof = ReadProof(
        verification_method=secured.verification_method,
        check=partial(jws.verify, secured.token),
        created=max(starts, default=None),
        expires=secured.expires,
        domains=secured.audiences,
        challenge=secured.nonce,
        key=secured.token.embedded_key(),
    )
    return Reading(secured.document, kind, contexts=contexts, proofs=(proof,))


async def _proofs_reading(
    document: JsonObject, kind: Kind, contexts: Objection | None, allowance: Allowance
) -> Reading:
    try:
        proofs = dataintegrity.parse_proofs(document, purpose=kind.purpose)
    except Invalid as refusal:
        return Reading(document, kind, contexts=contexts, proofs=objection(refusal))
    answers = await _hashes(proofs, allowance)
    meaning = next((answer for answer in answers if _is_about_words(answer)), None)
    if contexts is None and isinstance(meaning, Invalid):
        contexts = objection(meaning)
    read_proofs = tuple(_read_proof(*pair) for pair in zip(proofs, answers, strict=True))
    return Reading(document, kind, contexts=contexts, proofs=read_proofs)


def _read_proof(proof: Proof, hashed: bytes | Invalid) -> ReadProof:
    suite = SUITES[proof.cryptosuite]
    return ReadProof(
        verification_method=proof.verification_method,
        check=objection(hashed)
        if isinstance(hashed, Invalid)
        else partial(suite.check_signature, hash_data=hashed, signature=proof.signature),
        created=_moment(proof.created),
        expires=_moment(proof.expires),
        domains=proof.domains,
        challenge=proof.challenge,
    )


def _of_context(problem: str) -> bool:
    return problem.startswith("$.@context")


def _contexts(document: JsonObject, problems: list[str], known: ContextSet) -> Objection | None:
    wrong = tuple(filter(_of_context, problems))
    if wrong:
        return failed("context-missing", "It does not say which vocabularies it uses.", wrong)
    try:
        jsonld_safety.check_contexts(document, known)
    except Invalid as refusal:
        return objection(refusal)
    return None


async def _hashes(proofs: Sequence[Proof], allowance: Allowance) -> list[bytes | Invalid]:
    """The bytes that each proof signs, given only for a document all of whose words are defined.

    What several proofs speak for is canonicalised once: the document in one context, with the same proofs
    that they continue.
    """
    together: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, proof in enumerate(proofs):
        suite = safe_mode.SUITE if SUITES[proof.cryptosuite].own_context else proof.cryptosuite
        context = json.dumps(proof.document.get("@context"))
        together[suite, context, *proof.previous].append(number)
    found: dict[int, bytes | Invalid] = {}
    for (suite, *_), numbers in together.items():
        document, configs = proofs[numbers[0]].document, [proofs[number].config for number in numbers]
        safe = await allowance.hash_proofs(suite, document, configs)
        for place, number in enumerate(numbers):
            found[number] = safe if isinstance(safe, Invalid) else _own_hash(proofs[number], safe[place])
    return [found[number] for number in range(len(proofs))]


def _own_hash(proof: Proof, safe: bytes) -> bytes | Invalid:
    """`safe`, or what the proof signs instead, if its suite does not canonicalise what the words mean."""
    suite = SUITES[proof.cryptosuite]
    if not suite.own_context:
        return safe
    try:
        return suite.hash_data(proof.document, proof.config)
    except Invalid as refusal:
        return refusal


def _is_about_words(answer: bytes | Invalid) -> bool:
    return isinstance(answer, Invalid) and answer.code in _MEANING


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetimes.parse(text)
