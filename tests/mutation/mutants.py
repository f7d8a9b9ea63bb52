"""All small changes of one signed text, by number: so that a sample needs no list of half a million texts.

every bit flipped          8 a byte
every byte substituted     16 a byte, by characters that mean something in JSON or in a token
every path                 dropped, altered in several ways, added to
every key                  written twice, with its value and with another, before and after;
                           written as the IRI or the keyword that it stands for
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from tests.vocabulary import PROPERTIES

SUBSTITUTES = b'"\\{}[],:0 9aA-e\n'
PER_BYTE = 8 + len(SUBSTITUTES)
ADDED = "urn:example:added"
_TWICE = "written-twice-"
Place = tuple[str | int, ...]


class Mutants(Sequence[bytes]):
    """The mutants of `text`; those of its structure only where it is JSON (`document` is what it says)."""

    def __init__(self, text: bytes, document: dict[str, Any] | None = None) -> None:
        self.text = text
        self._document = document

    @cached_property
    def _structural(self) -> list[bytes]:
        return [] if self._document is None else list(structural(self._document))

    def __len__(self) -> int:
        return PER_BYTE * len(self.text) + len(self._structural)

    def __getitem__(self, index: Any) -> Any:
        if index < len(self._structural):
            return self._structural[index]
        position, change = divmod(index - len(self._structural), PER_BYTE)
        mutant = bytearray(self.text)
        if change < 8:
            mutant[position] ^= 1 << change
        else:
            mutant[position] = SUBSTITUTES[change - 8]
        return bytes(mutant)

    @property
    def structural_count(self) -> int:
        """How many of them, the first ones, change the structure."""
        return len(self._structural)


def structural(document: dict[str, Any]) -> Iterator[bytes]:
    """Every path dropped, altered and added to, every key written twice and otherwise, as JSON texts."""
    for place in places(document):
        yield _text(document, place, lambda holder, step: holder.pop(step))
        for other in _others(_at(document, place)):
            yield _text(document, place, lambda holder, step, other=other: _set(holder, step, other))
        if isinstance(place[-1], str):
            yield from _written_twice(document, place)
            if place[-1] in PROPERTIES:
                yield _text(document, place, _respell)
    for place in [(), *places(document)]:
        yield from _added(document, place)


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """Where something stands in the document: each key and each index, from the root down."""
    children: Any = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    for step, child in children:
        yield (*place, step)
        yield from places(child, (*place, step))


def _others(value: Any) -> list[Any]:
    """What might be written in the place of `value` by someone who hopes that it is not noticed."""
    if isinstance(value, bool):
        return [not value, int(value), str(value).lower(), None]
    if isinstance(value, (int, float)):
        return [value + 1, -value, float(value), str(value), True, None]
    if isinstance(value, str):
        return [value + "x", value[:-1], value + " ", value.upper(), [value], {"@value": value}, "", None, 0]
    if isinstance(value, list):
        return [value[::-1], value * 2, [value], value[0] if value else None, [], None]
    return [[value], {"@list": [value]}, {**value, "@id": ADDED}, {}, None, ADDED]


def _added(document: dict[str, Any], place: Place) -> Iterator[bytes]:
    target = _at(document, place)
    if isinstance(target, dict):
        for key, value in (
            ("description", ADDED),
            ("description", None),
            ("description", []),
            ("added", ADDED),
            ("id", ADDED),
            ("@context", {"added": "https://schema.org/name"}),
            ("@index", ADDED),
            ("@reverse", {"name": ADDED}),
        ):
            if key not in target:
                yield _text(document, (*place, key), lambda h, step, value=value: _set(h, step, value))
    elif isinstance(target, list):
        for value in (ADDED, target[-1], {"id": ADDED}):
            yield _text(document, place, lambda h, step, v=value: h[step].append(v))


def _written_twice(document: dict[str, Any], place: Place) -> Iterator[bytes]:
    key = str(place[-1])
    for value in (_at(document, place), ADDED):
        for first in (True, False):

            def twice(holder: Any, step: Any, value: Any = value, first: bool = first) -> None:
                members = list(holder.items())
                position = [name for name, _ in members].index(step) + (0 if first else 1)
                holder.clear()
                holder.update([*members[:position], (_TWICE + step, value), *members[position:]])

            text = _text(document, place, twice)
            yield text.replace(json.dumps(_TWICE + key).encode(), json.dumps(key).encode())


def _respell(holder: Any, step: Any) -> None:
    """The same statement for whoever reads JSON-LD, and no member of that name for whoever reads JSON."""
    members = [(PROPERTIES[step] if name == step else name, value) for name, value in holder.items()]
    holder.clear()
    holder.update(members)


def _text(document: dict[str, Any], place: Place, change: Any) -> bytes:
    mutant = _copied_along(document, place)
    change(_at(mutant, place[:-1]), place[-1])
    return json.dumps(mutant, ensure_ascii=False).encode()


def _copied_along(value: Any, place: Place) -> Any:
    """`value` with copies of all that lies on the way to `place`; what stands beside it is shared."""
    copied = copy.copy(value)
    step: Any = place[0] if place else None
    if place and (isinstance(copied, list) or step in copied):
        copied[step] = _copied_along(copied[step], place[1:])
    return copied


def _at(value: Any, place: Place) -> Any:
    for step in place:
        value = value[step]
    return value


def _set(holder: Any, step: Any, value: Any) -> None:
    holder[step] = value
