"""Chooses the media type of a document by the request's Accept header (RFC 9110 §12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence

RANGES_MAX = 20


def preferred(accept: str | None, offered: Sequence[str]) -> str:
    """Return the best of `offered` (best first); the first on a tie, without a header, or where nothing fits.

    A document in a type that was not asked for is more use than a refusal.
    """
    wanted = _ranges(accept)
    return max(offered, key=lambda each: _quality(each, wanted))


def accepted(accept: str | None, media_type: str) -> bool:
    """Whether the header covers `media_type`."""
    return _quality(media_type, _ranges(accept)) > 0


def _ranges(accept: str | None) -> list[tuple[str, float]]:
    return [_range(part) for part in (accept or "*/*").split(",")[:RANGES_MAX]]


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
