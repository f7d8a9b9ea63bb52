"""What the terms of the pinned contexts mean: read off the contexts by no code of the program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shared.proofs.contexts import PINNED


def terms_of(context: Any) -> Iterator[tuple[str, str]]:
    """(term, what it is written for) of every term that is defined, also of those for some types alone."""
    if isinstance(context, dict):
        for key, child in context.items():
            target = child.get("@id") if isinstance(child, dict) else child
            if not key.startswith("@") and isinstance(target, str):
                yield key, target
            yield from terms_of(child)
    elif isinstance(context, list):
        for child in context:
            yield from terms_of(child)


def _properties() -> dict[str, str]:
    found = {}
    for document in PINNED.documents.values():
        terms = list(terms_of(document))
        prefixes = dict(terms)
        for term, target in terms:
            prefix, _, rest = target.partition(":")
            if not term[0].isupper():  # classes begin with a capital
                found[term] = prefixes.get(prefix, f"{prefix}:") + rest
    return found


PROPERTIES = _properties()
"""IRI by term; `@id` and `@type` for the terms that stand for these keywords."""
