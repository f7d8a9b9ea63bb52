"""Which media type a document is sent as: what the Accept header prefers, or our own choice."""

from __future__ import annotations

from collections.abc import Sequence

CREDENTIAL_TYPES = (
    "application/vc+ld+json",  # Open Badges 3.0 section 7 (web resource)
    "application/vc",  # Verifiable Credentials Data Model 2.0 section 6.2
    "application/ld+json",
    "application/json",
)
DOCUMENT_TYPES = ("application/ld+json", "application/json")
DID_TYPES = ("application/did+json", "application/did+ld+json", "application/json", "application/ld+json")
RANGES_MAX = 20


def media_type(accept: str, offered: Sequence[str]) -> str:
    """The best of `offered` (best first) for an Accept header (RFC 9110 section 12.5.1).

    The type with the highest quality wins, among equals the one named first. Who accepts none of them gets
    the first: a document in a type that was not asked for is more use than a refusal.
    """
    best, best_quality = offered[0], 0.0
    for entry in accept.split(",")[:RANGES_MAX]:
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        quality = _quality(parameters)
        chosen = offered[0] if name in ("*/*", "application/*") else name
        if chosen in offered and quality > best_quality:
            best, best_quality = chosen, quality
    return best


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
