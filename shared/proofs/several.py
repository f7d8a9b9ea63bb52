"""One or several: how JSON-LD writes a member that may have more than one value."""

from __future__ import annotations

from shared.proofs.strictjson import JsonValue


def many(value: JsonValue) -> list[JsonValue]:
    """One or several, as JSON-LD writes them, always as a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
