"""Turns refusals of shared/proofs into objections: whose fault it is, the standards' code, a sentence.

Most refusals are the document's fault and mean that it will never pass. A few say only that this verifier
cannot tell: another one, with more contexts, suites or patience, might.
"""

from __future__ import annotations

from services.verifier.domain.facts import Objection, Outcome
from shared.errors import Invalid
from shared.proofs.standard_codes import standard_code

REASONS_MAX = 5

_CANNOT_TELL = frozenset(
    {"context-unknown", "canonicalisation-limit", "proof-unsupported", "token-unsupported"}
)


def code_of(code: str) -> str:
    """The standards' name of one of our error codes, or ours in the same spelling."""
    url = standard_code(code)
    return url.rpartition("#")[2] if url is not None else code.upper().replace("-", "_")


def objection(refusal: Invalid, outcome: Outcome | None = None) -> Objection:
    """What `refusal` means for a check; `outcome` if it does not follow from the refusal alone."""
    if outcome is None:
        outcome = Outcome.UNKNOWN if refusal.code in _CANNOT_TELL else Outcome.FAILED
    return Objection(outcome, code_of(refusal.code), _sentence(refusal.message, refusal.reasons))


def failed(code: str, message: str, reasons: tuple[str, ...] = ()) -> Objection:
    """The document's own fault, under one of our error codes."""
    return Objection(Outcome.FAILED, code_of(code), _sentence(message, reasons))


def unknown(code: str, message: str) -> Objection:
    """What this verifier cannot tell, under one of our error codes."""
    return Objection(Outcome.UNKNOWN, code_of(code), message)


def _sentence(message: str, reasons: tuple[str, ...]) -> str:
    if not reasons:
        return message
    told = "; ".join(reasons[:REASONS_MAX])
    more = f"; and {len(reasons) - REASONS_MAX} more" if len(reasons) > REASONS_MAX else ""
    return f"{message.rstrip('.')} ({told}{more})."
