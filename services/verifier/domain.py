"""Judges a credential: facts and a moment in, a verdict out.

*invalid* if one mandatory check failed, *valid* only if every one passed, *unknown* for all that lies
between. So invalid outranks unknown, and what could not be looked up is never taken for good.

Eight checks, always all of them, always in one order. Once the document cannot be read or its signature does
not hold, the later ones are skipped: nothing that it says can be believed. Whether the issuer is recognised
stands beside validity and never decides it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any

from services.verifier.facts import (
    DocumentFacts,
    Facts,
    ListFacts,
    Objection,
    Outcome,
    ProofFacts,
    StatusFacts,
)

CLOCK_SKEW = timedelta(seconds=60)
"""How far the clocks of issuer and verifier may differ, in both directions."""

PARSED = "parsed"
CONTEXTS = "contexts"
PROOF = "proof"
KEY = "key belongs to issuer"
IN_FORCE = "in force"
NOT_EXPIRED = "not expired"
STATUS = "status"
RECOGNISED = "issuer recognised"

MANDATORY = (PARSED, CONTEXTS, PROOF, KEY, IN_FORCE, NOT_EXPIRED, STATUS)
CHECKS = (*MANDATORY, RECOGNISED)
FOUNDATIONS = (PARSED, CONTEXTS, PROOF)

REVOCATION = "revocation"
SUSPENSION = "suspension"
REFRESH = "refresh"

# Ours, where no standard names the case.
KEY_NOT_OF_ISSUER = "KEY_NOT_OF_ISSUER"
NOT_YET_VALID = "NOT_YET_VALID"
EXPIRED = "EXPIRED"
REVOKED = "REVOKED"
SUSPENDED = "SUSPENDED"
PURPOSE_UNSUPPORTED = "STATUS_PURPOSE_UNSUPPORTED"
NOT_RECOGNISED = "ISSUER_NOT_RECOGNISED"
# The standards' own: Data Integrity 1.0, Controlled Identifiers 1.0, Bitstring Status List 1.0.
UNPROVED = "PROOF_VERIFICATION_ERROR"
INVALID_METHOD = "INVALID_VERIFICATION_METHOD"
INVALID_RELATIONSHIP = "INVALID_RELATIONSHIP_FOR_VERIFICATION_METHOD"
LIST_UNVERIFIED = "STATUS_VERIFICATION_ERROR"


class Result(StrEnum):
    """The verdict in a word."""

    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """One question that was asked of the credential; `code` is None unless the check failed or is unknown."""

    name: str
    outcome: Outcome
    code: str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer: `checks` in the order of CHECKS, `issuer` as the document names it (None if unreadable)."""

    result: Result
    sentence: str
    at: datetime
    issuer: str | None
    checks: tuple[Check, ...]

    def as_json(self) -> dict[str, Any]:
        """The stable JSON form, described member by member in the service's README and OpenAPI page."""
        return {
            "verdict": self.result.value,
            "sentence": self.sentence,
            "at": self.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "issuer": self.issuer,
            "checks": [
                {
                    "name": check.name,
                    "outcome": check.outcome.value,
                    "code": check.code,
                    "sentence": check.sentence,
                }
                for check in self.checks
            ],
        }


def judge(facts: Facts, at: datetime) -> Verdict:
    """Return the verdict on a credential at the moment `at`."""
    checks = _document_checks(facts.document, at)
    checks.append(_unless_baseless(checks, STATUS, partial(_status, facts, at)))
    checks.append(_recognised(facts, checks))
    result = _result(checks)
    issuer = facts.document.issuer or None
    return Verdict(result, _overall(result, checks), at, issuer, tuple(checks))


def _result(checks: Iterable[Check]) -> Result:
    outcomes = {check.outcome for check in checks if check.name in MANDATORY}
    if Outcome.FAILED in outcomes:
        return Result.INVALID
    return Result.VALID if outcomes == {Outcome.PASSED} else Result.UNKNOWN


def _overall(result: Result, checks: list[Check]) -> str:
    if result is Result.VALID:
        known = checks[-1].outcome is Outcome.PASSED
        stranger = "" if known else " Whether its issuer is who it says it is, this verifier does not know."
        return f"The credential is genuine, unaltered and in force.{stranger}"
    decisive = Outcome.FAILED if result is Result.INVALID else Outcome.UNKNOWN
    reason = next(check.sentence for check in checks if check.outcome is decisive)
    if result is Result.INVALID:
        return f"Do not rely on this credential. {reason}"
    return f"Nothing speaks against this credential, but not everything could be checked. {reason}"


def _document_checks(document: DocumentFacts, at: datetime) -> list[Check]:
    """The checks that any signed document has to pass, a status list as well as a credential."""
    checks: list[Check] = []
    for name, check in _OF_A_DOCUMENT.items():
        checks.append(_unless_baseless(checks, name, partial(check, document, at)))
    return checks


def _unless_baseless(checks: list[Check], name: str, check: Callable[[], Objection | str]) -> Check:
    """Ask, unless a foundation has failed. The answer is an Objection, or the sentence of a passed check."""
    fallen = next((c for c in checks if c.name in FOUNDATIONS and c.outcome is Outcome.FAILED), None)
    if fallen is not None:
        return Check(name, Outcome.SKIPPED, None, f"Not checked, because “{fallen.name}” failed.")
    answer = check()
    if isinstance(answer, Objection):
        return Check(name, answer.outcome, answer.code, answer.sentence)
    return Check(name, Outcome.PASSED, None, answer)


def _parsed(document: DocumentFacts, _: datetime) -> Objection | str:
    return document.unreadable or "It is a well-formed credential."


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
    deciding = _deciding(document.proofs, document.issuer, at)
    if deciding.signature is not None:
        return deciding.signature
    unread = sum(proof.signature is not None for proof in document.proofs)
    others = f" Further signatures that could not be checked: {unread}." if unread else ""
    return f"The signature holds: nothing was altered since it was signed.{others}"


def _key(document: DocumentFacts, at: datetime) -> Objection | str:
    if isinstance(document.proofs, Objection):
        return document.proofs
    deciding = _deciding(document.proofs, document.issuer, at)
    return _key_objection(deciding, document.issuer, at) or "The signing key belongs to the issuer."


def _in_force(document: DocumentFacts, at: datetime) -> Objection | str:
    for moment in (document.valid_from, *_moments(document, at, "created")):
        if moment is not None and moment > at + CLOCK_SKEW:
            sentence = f"It is not valid before {_told(moment)}."
            return Objection(Outcome.FAILED, NOT_YET_VALID, sentence)
    if document.valid_from is None:
        return "It names no day from which it is valid."
    return f"It has been valid since {_told(document.valid_from)}."


def _not_expired(document: DocumentFacts, at: datetime) -> Objection | str:
    ends = [end for end in (document.valid_until, *_moments(document, at, "expires")) if end is not None]
    if not ends:
        return "It has no end date."
    end = min(ends)
    if end < at - CLOCK_SKEW:
        return Objection(Outcome.FAILED, EXPIRED, f"It expired on {_told(end)}.")
    return f"It is valid until {_told(end)}."


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
    return (getattr(_deciding(document.proofs, document.issuer, at), member),)


def _deciding(proofs: tuple[ProofFacts, ...], issuer: str, at: datetime) -> ProofFacts:
    """The proof that speaks for the issuer: one that satisfies, or else the nearest to it."""
    by_issuer = [proof for proof in proofs if _did(proof.verification_method) == issuer]
    for proof in by_issuer:
        if proof.signature is None and _key_objection(proof, issuer, at) is None:
            return proof
    return (by_issuer or proofs)[0]


def _key_objection(proof: ProofFacts, issuer: str, at: datetime) -> Objection | None:
    """Data Integrity 1.0 §4.1 and VC Data Model 2.0 §4.12: the issuer's own key, meant for assertions.

    Somebody else's identifier is refused before anyone looks it up: no key of theirs could be the issuer's.
    """
    key = proof.key
    if _did(proof.verification_method) != issuer or (key is not None and key.controller != issuer):
        sentence = "It was signed with a key that does not belong to the issuer it names."
        return Objection(Outcome.FAILED, KEY_NOT_OF_ISSUER, sentence)
    if key is None:
        return proof.signature
    if not key.asserts:
        sentence = "The issuer does not use this key for making credentials."
        return Objection(Outcome.FAILED, INVALID_RELATIONSHIP, sentence)
    if key.valid_from is not None and (proof.created or at) < key.valid_from - CLOCK_SKEW:
        sentence = "It claims to be signed before the issuer had this key."
        return Objection(Outcome.FAILED, INVALID_METHOD, sentence)
    if key.ends_at is not None and at >= key.ends_at:
        sentence = f"The issuer has withdrawn the signing key on {_told(key.ends_at)}."
        return Objection(Outcome.FAILED, INVALID_METHOD, sentence)
    return None


def _did(verification_method: str) -> str:
    return verification_method.partition("#")[0]


def _status(facts: Facts, at: datetime) -> Objection | str:
    """All entries count: one that is set makes the credential invalid, one that cannot be told, unknown."""
    if not facts.status:
        return "Its issuer keeps no list on which it could be withdrawn."
    found = [
        objection
        for entry in facts.status
        if (objection := _entry_objection(entry, facts.document.issuer, at)) is not None
    ]
    found.sort(key=lambda objection: objection.outcome is not Outcome.FAILED)
    return found[0] if found else "The issuer's status list says that it has not been withdrawn."


def _entry_objection(entry: StatusFacts | Objection, issuer: str, at: datetime) -> Objection | None:
    if isinstance(entry, Objection):
        return entry
    if isinstance(entry.found, Objection):
        return entry.found
    checks = _document_checks(entry.found.document, at)
    doubt = _list_doubt(entry, entry.found, issuer, checks)
    if doubt is not None:
        return Objection(Outcome.UNKNOWN, LIST_UNVERIFIED, doubt)
    if isinstance(entry.found.bit, Objection):
        return entry.found.bit
    timely = all(check.outcome is Outcome.PASSED for check in checks)
    return _bit_objection(entry.purpose, entry.found.bit, timely)


def _bit_objection(purpose: str, is_set: bool, timely: bool) -> Objection | None:
    """What a bit says, read from a list that is the issuer's word; `timely` if the list is valid today."""
    if is_set and purpose == REVOCATION:
        # Before the list's age is asked: a revocation is for ever, so an old list can prove it too.
        return Objection(Outcome.FAILED, REVOKED, "The issuer has revoked it.")
    if not timely:
        sentence = "The status list at hand is out of date, so it may have been withdrawn since."
        return Objection(Outcome.UNKNOWN, LIST_UNVERIFIED, sentence)
    if is_set and purpose == SUSPENSION:
        return Objection(Outcome.FAILED, SUSPENDED, "The issuer has suspended it for now.")
    if purpose not in (REVOCATION, SUSPENSION, REFRESH):
        sentence = "It has a status of a kind that this verifier does not understand."
        return Objection(Outcome.UNKNOWN, PURPOSE_UNSUPPORTED, sentence)
    return None


def _list_doubt(entry: StatusFacts, listed: ListFacts, issuer: str, checks: list[Check]) -> str | None:
    """Why the list is not the issuer's word on this credential (Bitstring Status List 1.0 §3.2), if so."""
    unproved = next(
        (c for c in checks if c.name in (*FOUNDATIONS, KEY) and c.outcome is not Outcome.PASSED), None
    )
    if unproved is not None:
        return f"Its status list cannot be trusted. {unproved.sentence}"
    if listed.id != entry.list_url:
        return "The status list at hand is not the one that the credential names."
    if listed.document.issuer != issuer:
        return "Its status list was signed by somebody other than its issuer."
    if entry.purpose not in listed.purposes:
        return "Its status list serves another purpose than the credential says."
    return None


def _recognised(facts: Facts, checks: list[Check]) -> Check:
    """Only for a key that is the issuer's: an impostor is not to be seen beside the name it has borrowed."""
    key = next(check for check in checks if check.name == KEY)
    if key.outcome is not Outcome.PASSED:
        return Check(RECOGNISED, Outcome.SKIPPED, None, "Not asked: it is not proved who issued it.")
    if facts.registry is None:
        return Check(RECOGNISED, Outcome.SKIPPED, None, "There is no registry of issuers here to ask.")
    if facts.registry.name is None:
        sentence = "The issuer is not in the registry of this verifier: anyone can call themselves anything."
        return Check(RECOGNISED, Outcome.UNKNOWN, NOT_RECOGNISED, sentence)
    return Check(
        RECOGNISED, Outcome.PASSED, None, f"This verifier knows the issuer as {facts.registry.name}."
    )


def _told(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
