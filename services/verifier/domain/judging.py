"""Judges a credential: facts and a moment in, a verdict out.

*invalid* if one mandatory check failed, *valid* only if every one passed, *unknown* for all that lies
between. So invalid outranks unknown, and what could not be looked up is never taken for good.

Eight checks, always all of them, always in one order: those of any signed document (document_rules.py), its
status (status_rules.py), and whether its issuer is recognised, which stands beside validity and never decides
it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial

from services.verifier.domain.document_rules import document_checks
from services.verifier.domain.facts import Facts, Outcome
from services.verifier.domain.status_rules import status_answer, statuses
from services.verifier.domain.verdict import (
    KEY,
    MANDATORY,
    RECOGNISED,
    STATUS,
    Check,
    Result,
    Verdict,
    unless_baseless,
)

NOT_RECOGNISED = "ISSUER_NOT_RECOGNISED"


def judge(facts: Facts, at: datetime) -> Verdict:
    """Return the verdict on a credential at the moment `at`."""
    checks = document_checks(facts.document, at)
    status = unless_baseless(checks, STATUS, partial(status_answer, facts, at))
    checks.append(status)
    recognised = _recognised(facts, checks)
    checks.append(recognised)
    result = _result(checks)
    return Verdict(
        result=result,
        sentence=_overall(result, checks),
        at=at,
        issuer=facts.document.issuer or None,
        checks=tuple(checks),
        statuses=() if status.outcome is Outcome.SKIPPED else statuses(facts, at),
        registry=None if recognised.outcome is Outcome.SKIPPED else facts.registry,
    )


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


def _recognised(facts: Facts, checks: list[Check]) -> Check:
    """Only for a key that is the issuer's: an impostor is not to be seen beside the name it has borrowed."""
    key = next(check for check in checks if check.name == KEY)
    if key.outcome is not Outcome.PASSED:
        return Check(RECOGNISED, Outcome.SKIPPED, None, "Not asked: it is not proved who issued it.")
    if facts.registry is None:
        return Check(RECOGNISED, Outcome.SKIPPED, None, "There is no registry of issuers here to ask.")
    if not facts.registry.recognitions:
        sentence = "The issuer is not in the registry of this verifier: anyone can call themselves anything."
        return Check(RECOGNISED, Outcome.UNKNOWN, NOT_RECOGNISED, sentence)
    first = facts.registry.recognitions[0]
    sentence = (
        f"The issuer is known as {first.name} since {first.since:%Y-%m-%d}, according to {first.source}."
    )
    return Check(RECOGNISED, Outcome.PASSED, None, sentence)
