"""Golden samples: events as they were stored once, which every later version of the code must read.

`tests/contract/golden/{type}.json`, and `{type}.{n}.json` for the n-th, with fields that came later. They are
only ever added: `SHA256SUMS` beside them shows a change. `python -m tests.contract.golden` adds the missing.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from shared.contracts import registry
from shared.contracts.event import Event
from tests.contract.event_samples import SAMPLES

FOLDER = Path(__file__).parent / "golden"
SUMS = FOLDER / "SHA256SUMS"
NAME = re.compile(r"(?P<type>[a-z-]+\.[a-z-]+\.v[0-9]+)(\.(?P<number>[0-9]+))?\.json")
COMMAND = "python -m tests.contract.golden"


def golden_files() -> list[Path]:
    """Return every golden sample, sorted by name."""
    return sorted(FOLDER.glob("*.json"))


def type_of(file: Path) -> str:
    """Return the event type that a golden sample is of."""
    named = NAME.fullmatch(file.name)
    assert named is not None, f"{file.name} is not named like a golden sample"
    return named["type"]


def fields_of(value: Any, path: str = "") -> set[str]:
    """Return the paths of all fields in a JSON value; the elements of a list share one."""
    if isinstance(value, list):
        return set().union(*(fields_of(each, path) for each in value)) if value else set()
    if not isinstance(value, dict):
        return set()
    found = {f"{path}.{name}" for name in value}
    return found.union(*(fields_of(each, f"{path}.{name}") for name, each in value.items()))


def fields_without_sample(sample: Event) -> set[str]:
    """Return the fields of a complete sample that no golden sample of its type has."""
    known: set[str] = set()
    for file in golden_files():
        if type_of(file) == sample.TYPE:
            known |= fields_of(json.loads(file.read_bytes()))
    return fields_of(json.loads(registry.encode(sample))) - known


def recorded_sums() -> dict[str, str]:
    """Return the SHA-256 of each golden sample by name, as it was when the sample was added."""
    if not SUMS.exists():
        return {}
    return {name: digest for digest, name in (line.split() for line in SUMS.read_text().splitlines())}


def sha256(file: Path) -> str:
    """Return the SHA-256 (hex) of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def add_missing() -> list[str]:
    """Write a golden sample for every event that has fields without one; returns their names."""
    added = []
    for sample in SAMPLES:
        if fields_without_sample(sample):
            number = sum(type_of(file) == sample.TYPE for file in golden_files()) + 1
            name = f"{sample.TYPE}.json" if number == 1 else f"{sample.TYPE}.{number}.json"
            (FOLDER / name).write_bytes(registry.encode(sample))
            added.append(name)
    sums = recorded_sums() | {name: sha256(FOLDER / name) for name in added}
    SUMS.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())))
    return added


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    print("\n".join(add_missing()) or "nothing is missing")
