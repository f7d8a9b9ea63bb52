"""How a verdict is told: the stable JSON form of our own API and of the command line.

Described member by member in the service's README and in the OpenAPI page. Members are only ever added.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from services.verifier.domain.facts import Recognition
from services.verifier.domain.presentation_rules import PresentationVerdict
from services.verifier.domain.verdict import Check, StatusSaid, Verdict
from shared.proofs.standard_codes import STANDARD_CODES

PROBLEM_TYPES = {url.rpartition("#")[2]: url for url in STANDARD_CODES.values()} | {
    name: f"https://w3id.org/security#{name}"
    for name in ("INVALID_VERIFICATION_METHOD", "INVALID_RELATIONSHIP_FOR_VERIFICATION_METHOD")
}
"""The problem types that the standards define, by the name that a check has as its code."""


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict on a credential."""
    recognitions = () if verdict.registry is None else verdict.registry.recognitions
    return {
        "verdict": verdict.result.value,
        "sentence": verdict.sentence,
        "at": stamp(verdict.at),
        "issuer": verdict.issuer,
        "checks": [check_json(check) for check in verdict.checks],
        "statuses": [_status(said) for said in verdict.statuses],
        "recognitions": [_recognition(recognition) for recognition in recognitions],
    }


def presentation_json(verdict: PresentationVerdict) -> dict[str, Any]:
    """A verdict on a presentation, with one on each of its credentials."""
    return {
        "verdict": verdict.result.value,
        "sentence": verdict.sentence,
        "at": stamp(verdict.at),
        "holder": verdict.holder,
        "checks": [check_json(check) for check in verdict.checks],
        "credentials": [verdict_json(credential) for credential in verdict.credentials],
    }


def answer_json(verdict: Verdict | PresentationVerdict) -> dict[str, Any]:
    """A verdict of either kind."""
    return verdict_json(verdict) if isinstance(verdict, Verdict) else presentation_json(verdict)


def check_json(check: Check) -> dict[str, Any]:
    """One check."""
    return {
        "name": check.name,
        "outcome": check.outcome.value,
        "code": check.code,
        "type": None if check.code is None else PROBLEM_TYPES.get(check.code),
        "sentence": check.sentence,
    }


def stamp(moment: datetime) -> str:
    """A moment in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _status(said: StatusSaid) -> dict[str, Any]:
    return {"purpose": said.purpose, "status": said.value, "valid": not said.value, "message": said.message}


def _recognition(recognition: Recognition) -> dict[str, Any]:
    return {
        "name": recognition.name,
        "since": stamp(recognition.since),
        "source": recognition.source,
    }
