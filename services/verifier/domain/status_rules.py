"""The rules for a credential's status: which lists can be believed, and what they say.

All entries count: one that is set makes the credential invalid, one that cannot be told, unknown. A list is
the issuer's word only if it is signed by the issuer, bears the named address and serves the named purpose.
"""

from __future__ import annotations

from datetime import datetime

from services.verifier.domain.document_rules import document_checks
from services.verifier.domain.facts import Facts, ListFacts, Objection, Outcome, StatusFacts
from services.verifier.domain.verdict import FOUNDATIONS, KEY, Check, StatusSaid

REVOCATION = "revocation"
SUSPENSION = "suspension"
WITHOUT_EFFECT = ("refresh", "message")
"""Purposes that tell the holder or the reader something and leave validity alone."""

# Ours, where no standard names the case.
REVOKED = "REVOKED"
SUSPENDED = "SUSPENDED"
PURPOSE_UNSUPPORTED = "STATUS_PURPOSE_UNSUPPORTED"
# Bitstring Status List 1.0.
LIST_UNVERIFIED = "STATUS_VERIFICATION_ERROR"


def status_answer(facts: Facts, at: datetime) -> Objection | str:
    """The worst of what the entries say, or the sentence of a passed check."""
    if not facts.status:
        return "Its issuer keeps no list on which it could be withdrawn."
    found = [
        objection
        for entry in facts.status
        if (objection := _entry_objection(entry, facts.document.issuer, at)) is not None
    ]
    found.sort(key=lambda objection: objection.outcome is not Outcome.FAILED)
    return found[0] if found else "The issuer's status list says that it has not been withdrawn."


def statuses(facts: Facts, at: datetime) -> tuple[StatusSaid, ...]:
    """What those entries say whose lists are the issuer's word today, in the order of the credential."""
    said = []
    for entry in facts.status:
        if isinstance(entry, Objection) or isinstance(entry.found, Objection):
            continue
        checks = document_checks(entry.found.document, at)
        value = entry.found.value
        if (
            isinstance(value, int)
            and _is_timely(checks)
            and not _list_doubt(entry, entry.found, facts.document.issuer, checks)
        ):
            said.append(StatusSaid(entry.purpose, value, entry.messages.get(value)))
    return tuple(said)


def _entry_objection(entry: StatusFacts | Objection, issuer: str, at: datetime) -> Objection | None:
    if isinstance(entry, Objection):
        return entry
    if isinstance(entry.found, Objection):
        return entry.found
    checks = document_checks(entry.found.document, at)
    doubt = _list_doubt(entry, entry.found, issuer, checks)
    if doubt is not None:
        return Objection(Outcome.UNKNOWN, LIST_UNVERIFIED, doubt)
    if isinstance(entry.found.value, Objection):
        return entry.found.value
    return _value_objection(entry.purpose, entry.found.value, _is_timely(checks))


def _is_timely(checks: list[Check]) -> bool:
    return all(check.outcome is Outcome.PASSED for check in checks)


def _value_objection(purpose: str, value: int, timely: bool) -> Objection | None:
    """What a value says, read from a list that is the issuer's word; `timely` if the list is valid today."""
    if value and purpose == REVOCATION:
        # Before the list's age is asked: a revocation is for ever, so an old list can prove it too.
        return Objection(Outcome.FAILED, REVOKED, "The issuer has revoked it.")
    if not timely:
        sentence = "The status list at hand is out of date, so it may have been withdrawn since."
        return Objection(Outcome.UNKNOWN, LIST_UNVERIFIED, sentence)
    if value and purpose == SUSPENSION:
        return Objection(Outcome.FAILED, SUSPENDED, "The issuer has suspended it for now.")
    if purpose not in (REVOCATION, SUSPENSION, *WITHOUT_EFFECT):
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
