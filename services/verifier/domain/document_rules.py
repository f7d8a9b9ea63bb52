"""The rules for any signed document: a credential, the list that tells its status, a presentation.

Six checks in one order. Once the document cannot be read or its signature does not hold, the later ones are
skipped: nothing that it says can be believed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from services.verifier.domain.facts import DocumentFacts, KeyFacts, Objection, Outcome, ProofFacts
from services.verifier.domain.verdict import (
    CONTEXTS,
    IN_FORCE,
    KEY,
    NOT_EXPIRED,
    PARSED,
    PROOF,
    Check,
    told,
    unless_baseless,
)

CLOCK_SKEW = timedelta(seconds=60)
"""How far the clocks of issuer and verifier may differ, in both directions."""

# Ours, where no standard names the case.
KEY_NOT_OF_ISSUER = "KEY_NOT_OF_ISSUER"
KEY_COMPROMISED = "KEY_COMPROMISED"
NOT_YET_VALID = "NOT_YET_VALID"
EXPIRED = "EXPIRED"
# The standards' own: Data Integrity 1.0, Controlled Identifiers 1.0.
UNPROVED = "PROOF_VERIFICATION_ERROR"
INVALID_METHOD = "INVALID_VERIFICATION_METHOD"
INVALID_RELATIONSHIP = "INVALID_RELATIONSHIP_FOR_VERIFICATION_METHOD"


def document_checks(document: DocumentFacts, at: datetime) -> list[Check]:
    """The checks that any signed document has to pass, a status list as well as a credential."""
    checks: list[Check] = []
    for name, check in _OF_A_DOCUMENT.items():
        checks.append(unless_baseless(checks, name, partial(check, document, at)))
    return checks


def is_signers_word(document: DocumentFacts) -> bool:
    """Whether its signer signed it, at whatever moment: then it is the signer's word what may be looked up.

    Without a moment, so more than the checks let pass: a key may have ended, a signature come too late.
    """
    if document.unreadable or document.contexts or isinstance(document.proofs, Objection):
        return False
    own = [proof for proof in document.proofs if proof.signature is None and _is_signers_key(proof, document)]
    spoilt = any(p.signature is not None and p.signature.outcome is Outcome.FAILED for p in document.proofs)
    return bool(own) and not spoilt


def _is_signers_key(proof: ProofFacts, document: DocumentFacts) -> bool:
    issuer = document.issuer
    return (
        _did(proof.verification_method) == issuer and proof.key is not None and proof.key.controller == issuer
    )


def _parsed(document: DocumentFacts, _: datetime) -> Objection | str:
    return (
        document.unreadable
        or f"It is a well-formed {'presentation' if document.presented else 'credential'}."
    )


def _contexts(document: DocumentFacts, _: datetime) -> Objection | str:
    return document.contexts or "Every word in it is defined by a vocabulary that this verifier knows."


def _proof(document: DocumentFacts, at: datetime) -> Objection | str:
    """Data Integrity 1.0 §4.5: one signature that does not hold spoils the whole set."""
    if isinstance(document.proofs, Objection):
        return document.proofs
    if not document.proofs:
        return Objection(Outcome.FAILED, UNPROVED, "It carries no signature.")
    for proof in document.proofs:
        if proof.signature is not None and proof.signature.outcome is Outcome.FAILED:
            return proof.signature
    deciding = _deciding(document.proofs, document, at)
    if deciding.signature is not None:
        return deciding.signature
    unread = sum(proof.signature is not None for proof in document.proofs)
    others = f" Further signatures that could not be checked: {unread}." if unread else ""
    return f"The signature holds: nothing was altered since it was signed.{others}"


def _key(document: DocumentFacts, at: datetime) -> Objection | str:
    if isinstance(document.proofs, Objection):
        return document.proofs
    deciding = _deciding(document.proofs, document, at)
    amiss = _key_objection(deciding, document, at)
    return amiss or f"The signing key belongs to the {_signer(document)}."


def _in_force(document: DocumentFacts, at: datetime) -> Objection | str:
    for moment in (document.valid_from, *_moments(document, at, "created")):
        if moment is not None and moment > at + CLOCK_SKEW:
            sentence = f"It is not valid before {told(moment)}."
            return Objection(Outcome.FAILED, NOT_YET_VALID, sentence)
    if document.valid_from is None:
        return "It names no day from which it is valid."
    return f"It has been valid since {told(document.valid_from)}."


def _not_expired(document: DocumentFacts, at: datetime) -> Objection | str:
    ends = [end for end in (document.valid_until, *_moments(document, at, "expires")) if end is not None]
    if not ends:
        return "It has no end date."
    end = min(ends)
    if end < at - CLOCK_SKEW:
        return Objection(Outcome.FAILED, EXPIRED, f"It expired on {told(end)}.")
    return f"It is valid until {told(end)}."


_OF_A_DOCUMENT: Mapping[str, Callable[[DocumentFacts, datetime], Objection | str]] = {
    PARSED: _parsed,
    CONTEXTS: _contexts,
    PROOF: _proof,
    KEY: _key,
    IN_FORCE: _in_force,
    NOT_EXPIRED: _not_expired,
}


def _moments(document: DocumentFacts, at: datetime, member: str) -> tuple[datetime | None, ...]:
    if isinstance(document.proofs, Objection):
        return ()
    return (getattr(_deciding(document.proofs, document, at), member),)


def _deciding(proofs: tuple[ProofFacts, ...], document: DocumentFacts, at: datetime) -> ProofFacts:
    """The proof that speaks for the issuer: one that satisfies, or else the nearest to it."""
    by_issuer = [proof for proof in proofs if _did(proof.verification_method) == document.issuer]
    for proof in by_issuer:
        if proof.signature is None and _key_objection(proof, document, at) is None:
            return proof
    return (by_issuer or proofs)[0]


def _key_objection(proof: ProofFacts, document: DocumentFacts, at: datetime) -> Objection | None:
    """Data Integrity 1.0 §4.1 and VC Data Model 2.0 §4.12: the issuer's own key, meant for assertions.

    Somebody else's identifier is refused before anyone looks it up: no key of theirs could be the issuer's.
    """
    key, issuer, signer = proof.key, document.issuer, _signer(document)
    if _did(proof.verification_method) != issuer or (key is not None and key.controller != issuer):
        sentence = f"It was signed with a key that does not belong to the {signer} it names."
        return Objection(Outcome.FAILED, KEY_NOT_OF_ISSUER, sentence)
    if key is None:
        return proof.signature
    if not (key.authenticates if document.presented else key.asserts):
        sentence = f"The {signer} does not use this key for this."
        return Objection(Outcome.FAILED, INVALID_RELATIONSHIP, sentence)
    if key.valid_from is not None and (proof.created or at) < key.valid_from - CLOCK_SKEW:
        sentence = f"It claims to be signed before the {signer} had this key."
        return Objection(Outcome.FAILED, INVALID_METHOD, sentence)
    if key.ends_at is not None and at >= key.ends_at:
        sentence = f"The {signer} has withdrawn the signing key on {told(key.ends_at)}."
        return Objection(Outcome.FAILED, INVALID_METHOD, sentence)
    return _signed_too_late(key, proof.created or at, signer)


def _signed_too_late(key: KeyFacts, signed: datetime, signer: str) -> Objection | None:
    """Clocks may differ about the end of a superseded key; nobody gets a minute with a compromised one."""
    if key.signs_until is None:
        return None
    if key.compromised and signed >= key.signs_until:
        sentence = f"It was signed after the key of the {signer} was compromised on {told(key.signs_until)}."
        return Objection(Outcome.FAILED, KEY_COMPROMISED, sentence)
    if not key.compromised and signed > key.signs_until + CLOCK_SKEW:
        sentence = f"It claims to be signed after the {signer} retired this key on {told(key.signs_until)}."
        return Objection(Outcome.FAILED, INVALID_METHOD, sentence)
    return None


def _signer(document: DocumentFacts) -> str:
    return "holder" if document.presented else "issuer"


def _did(verification_method: str) -> str:
    return verification_method.partition("#")[0]
