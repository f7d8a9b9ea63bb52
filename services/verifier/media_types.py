"""Chooses the media type of a status list by the request's Accept header (RFC 9110 §12.5.1).

The same JSON under several names. Plain JSON unless another is asked for by name: clients that parse by media
type, the W3C conformance suite among them, do not take `application/vc` for JSON.
"""

from __future__ import annotations

JSON = "application/json"
OFFERED = (JSON, "application/ld+json", "application/vc", "application/vc+ld+json")
RANGES_MAX = 20


def chosen(accept: str | None) -> str:
    """The best of OFFERED for `accept`; JSON on a tie, without a header, and where nothing fits."""
    wanted = [_range(part) for part in (accept or "*/*").split(",")[:RANGES_MAX]]
    return max(OFFERED, key=lambda offered: _quality(offered, wanted))


def _range(part: str) -> tuple[str, float]:
    name, *parameters = part.split(";")
    for parameter in parameters:
        key, _, value = parameter.strip().partition("=")
        if key.lower() == "q":
            return name.strip().lower(), _number(value)
    return name.strip().lower(), 1.0


def _number(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0


def _quality(offered: str, wanted: list[tuple[str, float]]) -> float:
    """The weight of the most specific range that covers `offered`; 0 if none does."""
    for name in (offered, f"{offered.partition('/')[0]}/*", "*/*"):
        weights = [weight for wanted_name, weight in wanted if wanted_name == name]
        if weights:
            return max(weights)
    return 0.0
