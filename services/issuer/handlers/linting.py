"""What may be signed: judged on the whole document with its planned proofs, before a private key is touched.

A signature cannot be taken back, so every rule that a verifier holds us to is held here first: the VCDM's
structure, the official Open Badges schema, the characters and the size of strict JSON, the pinned contexts,
and one object to an id (two objects of one id would be one node to an RDF signature, and their members could
change places under it). Characters and ids are judged on the very bytes that will be served, which costs a
tenth of a walk through the values. That no term is dropped is found out while hashing (`proving`), also
before the key; and once for all credentials of an achievement, when it is published (`lint_sample`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import orjson

from services.issuer.documents.credential import Common
from shared.contracts.credentials import PinnedContext
from shared.errors import Invalid
from shared.proofs import contexts, jsonld_safety, openbadge_schema, vcdm
from shared.proofs.multikey import encode_multibase
from shared.proofs.several import many
from shared.proofs.strictjson import DOCUMENT_BYTES_MAX, JsonObject
from shared.proofs.suites.signatures import SIGNATURE_BYTES

CREDENTIAL_BYTES_MAX = DOCUMENT_BYTES_MAX
PLACEHOLDER = encode_multibase(bytes(SIGNATURE_BYTES))
"""Stands for the signatures to come: the schema judges their shape."""

# The escapes that compact JSON has for control characters other than tab and the ends of lines, and DEL. A
# backslash that is itself escaped can make them appear: then the expression decides.
_SUSPECTS = (rb"\u", rb"\b", rb"\f", b"\x7f")
_FORBIDDEN = re.compile(rb"(?<!\\)(?:\\\\)*\\[ubf]|\x7f")
_ID = b'"id":"'
"""Begins an id, and cannot stand within a text, whose quotes are escaped."""
_NOTHING = orjson.Fragment(b"")
"""Stands where a part is judged elsewhere, and takes no byte."""


class _Spelled(NamedTuple):
    """What the bytes of a document, or of a part of it, say about its characters and ids."""

    length: int
    clean: bool
    ids: list[bytes]


class BadgeLint:
    """`lint_badge` for many badges around the same common parts, which are spelled and searched once.

    Same judgement, since a document's bytes are those of its parts. A document that does not hold these very
    objects is judged whole.
    """

    def __init__(self, common: Common) -> None:
        self._common = common
        self._parts = [_spelled(common.issuer), _spelled(common.achievement)]

    def __call__(self, document: JsonObject, configs: Sequence[JsonObject]) -> None:
        """Raise Invalid('document-refused') unless `document` with these proofs is an Open Badge 3.0."""
        subject = document["credentialSubject"]
        common = self._common
        if (
            document["issuer"] is not common.issuer
            or not isinstance(subject, dict)
            or subject.get("achievement") is not common.achievement
        ):
            return lint_badge(document, configs)
        shaped = _shaped(document, configs)
        rest = {**shaped, "issuer": _NOTHING, "credentialSubject": {**subject, "achievement": _NOTHING}}
        return _refuse_badge(shaped, [_spelled(rest), *self._parts])


def lint_badge(document: JsonObject, configs: Sequence[JsonObject]) -> None:
    """Raise Invalid('document-refused') unless `document` with these proofs is an Open Badge 3.0."""
    shaped = _shaped(document, configs)
    _refuse_badge(shaped, [_spelled(shaped)])


def lint_credential(document: JsonObject, configs: Sequence[JsonObject]) -> None:
    """Raise Invalid('document-refused') unless `document` is a verifiable credential of any type."""
    shaped = _shaped(document, configs)
    _refuse([_spelled(shaped)])
    if reasons := vcdm.problems(shaped):
        raise _refusal(reasons)


def lint_sample(document: JsonObject, configs: Sequence[JsonObject]) -> None:
    """Like `lint_badge`, and Invalid where depth, number of values, numbers or absent values are refused."""
    jsonld_safety.refuse_unsignable_input(_shaped(document, configs), contexts.PINNED)
    lint_badge(document, configs)


def pinned_contexts(urls: Iterable[str]) -> tuple[PinnedContext, ...]:
    """What an intent says of its contexts: the bytes that are in use now. Raises Invalid for unknown ones."""
    return tuple(PinnedContext(url=url, sha256=contexts.digest(url)) for url in urls)


def check_contexts(document: JsonObject, pinned: Sequence[PinnedContext]) -> None:
    """Raise Invalid('context-changed') unless the document's contexts are the pinned bytes, in order."""
    urls = [str(url) for url in many(document["@context"])]
    if [context.url for context in pinned] != urls or any(
        context.sha256 != contexts.digest(context.url) for context in pinned
    ):
        raise Invalid("context-changed", "The contexts that the intent pins are not those in use now.")


def _shaped(document: JsonObject, configs: Sequence[JsonObject]) -> JsonObject:
    return {**document, "proof": [{**config, "proofValue": PLACEHOLDER} for config in configs]}


def _refuse_badge(shaped: JsonObject, parts: Sequence[_Spelled]) -> None:
    _refuse(parts)
    if reasons := vcdm.problems(shaped) + openbadge_schema.problems(shaped):
        raise _refusal(reasons)


def _spelled(part: Mapping[str, object]) -> _Spelled:
    try:
        data = orjson.dumps(part)
    except orjson.JSONEncodeError as cause:
        raise _refusal(["$: holds what JSON cannot write"]) from cause
    return _Spelled(len(data), _is_clean(data), [each.partition(b'"')[0] for each in data.split(_ID)[1:]])


def _is_clean(data: bytes) -> bool:
    if b"\\" not in data and b"\x7f" not in data:  # the usual case, a hundred times faster to tell
        return True
    return not (any(suspect in data for suspect in _SUSPECTS) and _FORBIDDEN.search(data))


def _refuse(parts: Sequence[_Spelled]) -> None:
    reasons = []
    if sum(part.length for part in parts) > CREDENTIAL_BYTES_MAX:
        reasons.append(f"$: the document is larger than {CREDENTIAL_BYTES_MAX} bytes")
    if not all(part.clean for part in parts):
        reasons.append("$: a string holds a control character")
    ids = list(chain.from_iterable(part.ids for part in parts))
    if len(set(ids)) < len(ids):
        reasons.append("$: two objects have one id")
    if reasons:
        raise _refusal(reasons)


def _refusal(reasons: Sequence[str]) -> Invalid:
    return Invalid("document-refused", "The document breaks rules of its standards.", tuple(reasons))
