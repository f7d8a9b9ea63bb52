"""Reads a signed document: everything that its bytes alone decide, so that it may be kept for the next time.

Strict JSON → the shape of a credential or a presentation (VC Data Model 2.0) → contexts on the list of
pinned ones → its signatures: Data Integrity proofs, or the one of a token (VC-JOSE-COSE, Open Badges 3.0).
What makes their bytes is canonicalised in workers that can be killed.

A token or a JCS proof covers every member of the text but says nothing about what the members mean; so such a
document is held to JSON-LD's safe mode too. Keys, times and status lists come later (examine.py, domain.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from services.verifier.domain.facts import Objection, Outcome
from services.verifier.examination import presentation_shape
from services.verifier.examination.objections import failed, objection
from shared.errors import Invalid
from shared.proofs import dataintegrity, datetimes, jsonld_safety, jws, strictjson, vc_jwt, vcdm
from shared.proofs.contexts import PINNED, ContextSet
from shared.proofs.dataintegrity import Proof
from shared.proofs.public_keys import PublicKey
from shared.proofs.strictjson import JsonObject, JsonValue
from shared.proofs.suites import SUITES
from shared.proofs.suites.eddsa_rdfc_2022 import EddsaRdfc2022
from shared.proofs.vc_jwt import Form, SecuredDocument
from shared.proofs.workers import CanonicalWorkers

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
_ANY_OPTIONS: JsonObject = {"type": "DataIntegrityProof"}
"""Stands in for the options of a proof where only the document's own words are asked about."""


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
    value: JsonValue, workers: CanonicalWorkers, kind: Kind = CREDENTIAL, known: ContextSet = PINNED
) -> Reading:
    """Read a parsed document, or a token as a string or in its envelope; `workers` have the contexts `known`.

    Raises Unavailable if the workers have too much to do; never anything else.
    """
    try:
        token = value if isinstance(value, str) else vc_jwt.enveloped(value)
        secured = None if token is None else vc_jwt.read(token)
    except Invalid as refusal:
        return Reading({}, kind, unreadable=objection(refusal))
    if secured is not None and secured.form not in kind.forms:
        return Reading(
            {}, kind, unreadable=failed("token-malformed", f"The token is not one of a {kind.name}.")
        )
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
        return await _token_reading(secured, kind, contexts, workers)
    return await _proofs_reading(document, kind, contexts, workers)


async def _token_reading(
    secured: SecuredDocument, kind: Kind, contexts: Objection | None, workers: CanonicalWorkers
) -> Reading:
    (safe,) = await workers.hash_data(EddsaRdfc2022.cryptosuite, [(secured.document, _ANY_OPTIONS)])
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
    document: JsonObject, kind: Kind, contexts: Objection | None, workers: CanonicalWorkers
) -> Reading:
    try:
        proofs = dataintegrity.parse_proofs(document, purpose=kind.purpose)
    except Invalid as refusal:
        return Reading(document, kind, contexts=contexts, proofs=objection(refusal))
    answers = await asyncio.gather(*(_hash(proof, workers) for proof in proofs))
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


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetimes.parse(text)
