"""What a verdict is: checks with names, outcomes, codes and sentences, and the one word above them.

Pure values, apart from the rules that fill them (document_rules.py, status_rules.py, domain.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from services.verifier.domain.facts import Objection, Outcome, Registry

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
class StatusSaid:
    """What one status list says, as in Bitstring Status List 1.0 §3.2; the `value` 0 is the good one."""

    purpose: str
    value: int
    message: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer: `checks` in the order of CHECKS, `issuer` as the document names it (None if unreadable).

    `statuses` are what those lists say that could be believed, `registry` what is known about the issuer,
    None unless it is proved that this is the issuer.
    """

    result: Result
    sentence: str
    at: datetime
    issuer: str | None
    checks: tuple[Check, ...]
    statuses: tuple[StatusSaid, ...] = ()
    registry: Registry | None = None


def unless_baseless(checks: list[Check], name: str, check: Callable[[], Objection | str]) -> Check:
    """Ask, unless a foundation has failed. The answer is an Objection, or the sentence of a passed check."""
    fallen = next((c for c in checks if _is_fallen(c)), None)
    if fallen is not None:
        return Check(name, Outcome.SKIPPED, None, f"Not checked, because “{fallen.name}” did not pass.")
    answer = check()
    if isinstance(answer, Objection):
        return Check(name, answer.outcome, answer.code, answer.sentence)
    return Check(name, Outcome.PASSED, None, answer)


def _is_fallen(check: Check) -> bool:
    """A foundation that failed; or a document that cannot be read here, of which nothing else is known."""
    unread = check.name == PARSED and check.outcome is Outcome.UNKNOWN
    return unread or (check.name in FOUNDATIONS and check.outcome is Outcome.FAILED)


def told(moment: datetime) -> str:
    """A moment as people read it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
