"""Strict JSON in: the one way by which a stranger's bytes become a value that may be verified.

Ordinary JSON parsers keep the last of two equal keys, accept NaN, round large integers and pass lone
surrogates through. Each of these lets two programs read two different documents from one signed text. So
everything that will be hashed or verified comes through here, and is refused unless every parser in the
field would read the same value.

Refuses: anything but UTF-8 without a byte order mark, repeated keys, NaN and infinities, integers beyond
±(2^53−1), lone surrogates, control characters (JSON-LD processors escape them differently), and more than
the limits below. Errors name the place as a JSON path.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from shared.errors import Invalid

JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | int | float | bool | None"
JsonObject: TypeAlias = "dict[str, JsonValue]"
Path: TypeAlias = "tuple[Path, str | int] | None"
"""A place in a document, as a chain to its root: `None` is the root."""

DOCUMENT_BYTES_MAX = 256_000
DEPTH_MAX = 32
NODES_MAX = 5_000
INTEGER_MAX = 2**53 - 1

_INTEGER_CHARS_MAX = 17  # longer than any integer allowed; int() of a long text costs its square
_PATH_KEY_CHARS_MAX = 40
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# One token a step: a whole string (to the end of the text if it is never closed, so that the scan stays
# linear), or one bracket. Possessive, because a quote after a backslash must never be tried twice.
_BRACKETS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_FORBIDDEN_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class _Repeating(dict[str, Any]):
    """An object that had the key `key` twice; `check` refuses it where it knows the path."""

    key: str


def loads(data: bytes) -> JsonValue:
    """Parse `data`, or raise `Invalid` with a code that starts with `json-` and a reason naming the place."""
    if len(data) > DOCUMENT_BYTES_MAX:
        raise Invalid("json-too-large", f"The document is larger than {DOCUMENT_BYTES_MAX} bytes.")
    if data.startswith(_BYTE_ORDER_MARK):
        raise Invalid("json-not-utf8", "The document starts with a byte order mark; it must be plain UTF-8.")
    try:
        text = data.decode("utf-8", "strict")
    except UnicodeDecodeError as cause:
        raise Invalid(
            "json-not-utf8", "The document is not UTF-8 text.", (f"byte {cause.start} is not UTF-8",)
        ) from cause
    _refuse_depth(text)
    try:
        value: JsonValue = json.loads(text, object_pairs_hook=_object, parse_int=_integer)
    except json.JSONDecodeError as cause:
        place = f"line {cause.lineno}, column {cause.colno}"
        raise Invalid("json-malformed", "The document is not JSON.", (f"it breaks at {place}",)) from cause
    check(value)
    return value


def check(value: JsonValue) -> None:
    """Raise `Invalid` unless `value` could have come out of `loads`; for documents that were built here."""
    nodes = 0
    for item, path, depth in _walk(value):
        nodes += 1
        if nodes > NODES_MAX:
            raise Invalid("json-too-many-values", f"The document holds more than {NODES_MAX} values.")
        if depth > DEPTH_MAX:
            raise _too_deep()
        if isinstance(item, str):
            _check_string(item, path)
        elif isinstance(item, dict):
            _check_keys(item, path)
        elif isinstance(item, bool) or item is None or isinstance(item, list):
            continue
        elif isinstance(item, int):
            if abs(item) > INTEGER_MAX:
                raise Invalid(
                    "json-number-range",
                    "An integer is beyond ±(2^53−1), where JSON readers disagree.",
                    (path_text(path),),
                )
        elif not isinstance(item, float) or not math.isfinite(item):
            raise Invalid("json-number-range", "A value is not a finite JSON number.", (path_text(path),))


def path_text(path: Path) -> str:
    """`$.credentialSubject.achievement.alignment[0]`: the place as a JSON path."""
    steps: list[str] = []
    while path is not None:
        path, step = path
        if isinstance(step, int):
            steps.append(f"[{step}]")
        elif _PLAIN_KEY.fullmatch(step):
            steps.append(f".{step[:_PATH_KEY_CHARS_MAX]}")
        else:
            steps.append(f"[{json.dumps(step[:_PATH_KEY_CHARS_MAX])}]")
    return "$" + "".join(reversed(steps))


def _walk(root: JsonValue) -> Iterator[tuple[JsonValue, Path, int]]:
    """Every value of the tree with its place and its depth, without recursion."""
    stack: list[tuple[JsonValue, Path, int]] = [(root, None, 0)]
    while stack:
        item, path, depth = stack.pop()
        yield item, path, depth + isinstance(item, (dict, list))
        if isinstance(item, dict):
            stack.extend((child, (path, key), depth + 1) for key, child in item.items())
        elif isinstance(item, list):
            stack.extend((child, (path, index), depth + 1) for index, child in enumerate(item))


def _check_keys(item: dict[str, JsonValue], path: Path) -> None:
    if isinstance(item, _Repeating):
        raise Invalid("json-duplicate-key", "An object has one key twice.", (path_text((path, item.key)),))
    for key in item:
        _check_string(key, (path, key))


def _check_string(text: str, path: Path) -> None:
    if _FORBIDDEN_CHARACTER.search(text):
        raise Invalid(
            "json-character",
            "A string holds a control character or a lone surrogate.",
            (path_text(path),),
        )


def _refuse_depth(text: str) -> None:
    """Count brackets before parsing, so that no nesting reaches the parser's recursion."""
    depth = 0
    for token in _BRACKETS.finditer(text):
        bracket = token[0]
        if bracket in "[{":
            depth += 1
            if depth > DEPTH_MAX:
                raise _too_deep()
        elif bracket in "]}":
            depth -= 1


def _too_deep() -> Invalid:
    return Invalid("json-too-deep", f"The document is nested deeper than {DEPTH_MAX} levels.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    repeating = _Repeating(members)
    keys = [key for key, _ in pairs]
    repeating.key = next(key for key in keys if keys.count(key) > 1)
    return repeating


def _integer(text: str) -> int:
    return int(text) if len(text) <= _INTEGER_CHARS_MAX else INTEGER_MAX + 1
