"""Our error codes beside the names that the standards give the same errors.

A program that speaks Data Integrity or Bitstring Status List looks for these URLs (`type` of a problem
detail); a code without a line here has no name in either standard.
"""

from __future__ import annotations

from collections.abc import Mapping

_SECURITY = "https://w3id.org/security#"
_STATUS = "https://www.w3.org/ns/credentials/status-list#"
_CREDENTIALS = "https://www.w3.org/TR/vc-data-model#"

_PARSING = f"{_SECURITY}PARSING_ERROR"
_TRANSFORMATION = f"{_SECURITY}PROOF_TRANSFORMATION_ERROR"
_VERIFICATION = f"{_SECURITY}PROOF_VERIFICATION_ERROR"

STANDARD_CODES: Mapping[str, str] = {
    "json-too-large": _PARSING,
    "json-not-utf8": _PARSING,
    "json-malformed": _PARSING,
    "json-too-many-values": _PARSING,
    "json-too-deep": _PARSING,
    "json-number-range": _PARSING,
    "json-character": _PARSING,
    "json-duplicate-key": _PARSING,
    "data-loss": f"{_SECURITY}DATA_LOSS_DETECTION_ERROR",
    "context-missing": _TRANSFORMATION,
    "context-unknown": _TRANSFORMATION,
    "context-inline": _TRANSFORMATION,
    "json-ld-invalid": _TRANSFORMATION,
    "spelling-ambiguous": _TRANSFORMATION,
    "not-canonicalisable": _TRANSFORMATION,
    "canonicalisation-limit": _TRANSFORMATION,
    "canonicalisation-failed": _TRANSFORMATION,
    "proof-missing": _VERIFICATION,
    "proof-malformed": _VERIFICATION,
    "proof-unsupported": _VERIFICATION,
    "proof-context": _VERIFICATION,
    "proof-wrong": _VERIFICATION,
    "proof-domain": f"{_SECURITY}INVALID_DOMAIN_ERROR",
    "proof-challenge": f"{_SECURITY}INVALID_CHALLENGE_ERROR",
    "token-malformed": _PARSING,
    "token-unsupported": _VERIFICATION,
    "key-malformed": f"{_SECURITY}INVALID_VERIFICATION_METHOD",
    "key-weak": f"{_SECURITY}INVALID_VERIFICATION_METHOD",
    "did-malformed": f"{_SECURITY}INVALID_VERIFICATION_METHOD",
    "credential-malformed": f"{_CREDENTIALS}MALFORMED_VALUE_ERROR",
    "status-list-malformed": f"{_CREDENTIALS}MALFORMED_VALUE_ERROR",
    "status-list-length": f"{_STATUS}STATUS_LIST_LENGTH_ERROR",
    "status-list-unreachable": f"{_STATUS}STATUS_RETRIEVAL_ERROR",
    "status-list-unverified": f"{_STATUS}STATUS_VERIFICATION_ERROR",
    "status-index-range": f"{_CREDENTIALS}RANGE_ERROR",
}


def standard_code(code: str) -> str | None:
    """The URL under which the standards know the error `code`, or None."""
    return STANDARD_CODES.get(code)
