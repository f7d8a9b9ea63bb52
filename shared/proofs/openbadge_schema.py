"""The official Open Badges 3.0 JSON Schema of an AchievementCredential, formats checked, compiled once.

The schema is 1EdTech's own file, kept unaltered in schemas/ and checked against its SHA-256 when loaded. It
describes the signed credential: `proof` must be there, as an array. Problems name the place and the rule,
never the value, which may be a learner's name.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from itertools import islice

import jsonschema_rs

from shared.proofs import pinned
from shared.proofs.strictjson import JsonObject, Path, path_text

PROBLEMS_MAX = 20
_MASK = "the value"


def problems(document: JsonObject) -> list[str]:
    """One sentence per broken rule, at most `PROBLEMS_MAX`; empty for a well-formed Open Badge 3.0."""
    validator = _validator()
    if validator.is_valid(document):  # as a rule; told in two thirds of the time
        return []
    errors = islice(validator.iter_errors(document), PROBLEMS_MAX)
    return [f"{path_text(_path(error.instance_path))}: {error.message}" for error in errors]


@cache
def _validator() -> jsonschema_rs.Draft201909Validator:
    ((_, data),) = pinned.files(resources.files("shared.proofs").joinpath("schemas"))
    return jsonschema_rs.Draft201909Validator(
        pinned.parsed(data), validate_formats=True, mask=_MASK, offline=True
    )


def _path(steps: list[str | int]) -> Path:
    path: Path = None
    for step in steps:
        path = (path, step)
    return path
