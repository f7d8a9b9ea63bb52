"""RFC 8785 JSON Canonicalization Scheme: one value, one sequence of bytes.

rfc8785 is the reference. orjson with sorted keys writes the same bytes some twenty times faster, but only
when a value has no floats (it writes 1.0, RFC 8785 writes 1), integers within ±(2^53−1), and keys whose
code points sort as their UTF-16 units do; ASCII keys always do. The gate below proves that per value and
leaves everything else to rfc8785. Refuses what RFC 8785 cannot write.
"""

from __future__ import annotations

import orjson
import rfc8785

from shared.errors import Invalid
from shared.proofs.strictjson import INTEGER_MAX, JsonValue


def canonical_bytes(value: JsonValue) -> bytes:
    """The RFC 8785 form of `value`; `Invalid` with code `not-canonicalisable` where it has none."""
    try:
        if _orjson_is_exact(value):
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        return rfc8785.dumps(value)
    except (orjson.JSONEncodeError, ValueError, RecursionError) as cause:
        raise Invalid(
            "not-canonicalisable",
            "The document holds a number or a string that JSON canonicalisation cannot write.",
        ) from cause


def _orjson_is_exact(value: JsonValue) -> bool:
    """Whether orjson's sorted output is the RFC 8785 form; exact types only, so no subclass slips in."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return -INTEGER_MAX <= value <= INTEGER_MAX  # type: ignore[operator]
    if kind is list:
        return all(map(_orjson_is_exact, value))  # type: ignore[arg-type]
    if kind is dict:
        members: dict[str, JsonValue] = value  # type: ignore[assignment]
        return all(type(key) is str and key.isascii() for key in members) and all(
            map(_orjson_is_exact, members.values())
        )
    return False
