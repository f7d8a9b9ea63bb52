"""Judges a presentation: is it its holder's, for us and for this request, and are its credentials good?

The checks of any signed document, with the holder in the issuer's place; then for whom it was made; then the
credentials, each with a verdict of its own. *valid* only if all of it is; invalid outranks unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from services.verifier.domain.document_rules import document_checks
from services.verifier.domain.facts import DocumentFacts, Facts, Objection, Outcome
from services.verifier.domain.judging import judge
from services.verifier.domain.verdict import KEY, Check, Result, Verdict, unless_baseless

HOLDER_KEY = "key belongs to holder"
AUDIENCE = "meant for this verifier"
CREDENTIALS = "credentials"


@dataclass(frozen=True, slots=True)
class PresentationFacts:
    """All that there is to know about a presentation. `audience` is a sentence where nothing was expected."""

    document: DocumentFacts
    audience: Objection | str | None
    credentials: tuple[Facts, ...] = ()


@dataclass(frozen=True, slots=True)
class PresentationVerdict:
    """The answer: `checks` of the presentation itself, and a verdict on each of its credentials in order."""

    result: Result
    sentence: str
    at: datetime
    holder: str | None
    checks: tuple[Check, ...]
    credentials: tuple[Verdict, ...]


def judge_either(facts: Facts | PresentationFacts, at: datetime) -> Verdict | PresentationVerdict:
    """Return the verdict on a credential or on a presentation at the moment `at`."""
    return judge(facts, at) if isinstance(facts, Facts) else judge_presentation(facts, at)


def judge_presentation(facts: PresentationFacts, at: datetime) -> PresentationVerdict:
    """Return the verdict on a presentation at the moment `at`."""
    checks = [
        replace(check, name=HOLDER_KEY) if check.name == KEY else check
        for check in document_checks(facts.document, at)
    ]
    if isinstance(facts.audience, str):
        checks.append(Check(AUDIENCE, Outcome.SKIPPED, None, facts.audience))
    else:
        audience = facts.audience or "It was made for this recipient and this request."
        checks.append(unless_baseless(checks, AUDIENCE, lambda: audience))
    # Judged in any case: what somebody shows may be good though the showing is not.
    verdicts = tuple(judge(credential, at) for credential in facts.credentials)
    checks.append(unless_baseless(checks, CREDENTIALS, partial(_credentials, verdicts)))
    result = _result(checks)
    return PresentationVerdict(
        result, _overall(result, checks, verdicts), at, facts.document.issuer or None, tuple(checks), verdicts
    )


def _credentials(verdicts: tuple[Verdict, ...]) -> Objection | str:
    """The worst of the verdicts."""
    for result, outcome in ((Result.INVALID, Outcome.FAILED), (Result.UNKNOWN, Outcome.UNKNOWN)):
        found = next((verdict for verdict in verdicts if verdict.result is result), None)
        if found is not None:
            code = next(check.code for check in found.checks if check.outcome is outcome)
            return Objection(outcome, code or "", found.sentence)
    return f"Every credential in it is valid: {len(verdicts)}." if verdicts else "It holds no credential."


def _result(checks: list[Check]) -> Result:
    unasked = (AUDIENCE, Outcome.SKIPPED)
    outcomes = {check.outcome for check in checks if (check.name, check.outcome) != unasked}
    if Outcome.FAILED in outcomes:
        return Result.INVALID
    return Result.VALID if outcomes <= {Outcome.PASSED} else Result.UNKNOWN


def _overall(result: Result, checks: list[Check], verdicts: tuple[Verdict, ...]) -> str:
    if result is Result.VALID:
        if not verdicts:
            return "The presentation is its holder's, and holds no credential: it proves nothing further."
        return "The presentation is its holder's, and every credential in it is genuine and in force."
    decisive = Outcome.FAILED if result is Result.INVALID else Outcome.UNKNOWN
    reason = next(check.sentence for check in checks if check.outcome is decisive)
    if result is Result.INVALID:
        return f"Do not rely on this presentation. {reason}"
    return f"Nothing speaks against this presentation, but not everything could be checked. {reason}"
