"""Says what is wrong with input, field by field, in words that quote nothing of what was sent.

Names of fields are quoted where they are ours: a part that was not expected is what somebody typed. Rules on
reading a value (`…_parsing`) and on tags go on to quote the value behind the first comma or quote. A pattern
would tell a stranger nothing: the field's description does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

REASONS_MAX = 20
FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")

RULES: Mapping[str, str] = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "string_pattern_mismatch": "does not have the form that the API page describes",
    "union_tag_invalid": "has a tag that is none of the expected ones",
}
FORMS: Mapping[str, str] = {
    "email": "is not an e-mail address",
    "achievement_id": "is not a UUID in lower case",
    "url": "is not a web address",
    "target_url": "is not a web address",
}


def reasons_of(faults: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return a sentence for each of the first REASONS_MAX faults, as pydantic's `errors()` lists them."""
    return tuple(_reason(fault) for fault in list(faults)[:REASONS_MAX])


def _reason(fault: Mapping[str, Any]) -> str:
    parts = [
        str(part) if isinstance(part, int) or FIELD.fullmatch(str(part)) else "…" for part in fault["loc"]
    ]
    kind = str(fault["type"])
    if kind == "extra_forbidden":
        parts[-1] = "…"
    field = ".".join(parts) or "body"
    if kind == "string_pattern_mismatch" and parts and parts[-1] in FORMS:
        return f"{field} {FORMS[parts[-1]]}"
    if kind in RULES:
        return f"{field} {RULES[kind]}"
    message = str(fault["msg"]).removeprefix("Value error, ")
    if kind.endswith("_parsing"):
        message = message.partition(",")[0]
    return f"{field}: {message}"
