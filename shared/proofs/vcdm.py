"""The structural rules of the Verifiable Credentials Data Model, 2.0 and 1.1, for a credential.

The first context says which of the two it is: 1.1 has issuanceDate and expirationDate for validFrom and
validUntil, asks for the first, and for an id of a status. Credentials of 1.1 are verified and never issued.

JSON-LD would let most of these mistakes pass, and a schema language says them badly (a validUntil before
its validFrom). Every broken rule is one sentence that starts with its place; values are never repeated.
Whether types and terms are defined by the contexts is not asked here: safe mode does (jsonld_safety).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from shared.proofs import datetimes, related_resources
from shared.proofs.contexts import CREDENTIALS_V1, CREDENTIALS_V2
from shared.proofs.jsonld_safety import is_absolute_iri
from shared.proofs.several import many
from shared.proofs.strictjson import JsonObject, JsonValue

_LANGUAGE_MEMBERS = frozenset({"@value", "@language", "@direction"})
_VALIDITY_1 = ("issuanceDate", "expirationDate")
_VALIDITY_2 = ("validFrom", "validUntil")
_TYPED = ("credentialStatus", "termsOfUse", "evidence", "refreshService", "credentialSchema")


def problems(document: JsonValue) -> list[str]:
    """One sentence per broken rule (2.0 §4.2 to §4.12 and §5.3, 1.1 §4); empty for a well-formed one."""
    if not isinstance(document, dict):
        return ["$: a credential is a JSON object"]
    rules = _RULES_1 if _is_version_1(document) else _RULES_2
    return [sentence for rule in rules for sentence in rule(document)]


def validity(document: JsonObject) -> tuple[datetime | None, datetime | None]:
    """From when and until when the credential is valid; None where it does not say.

    Version 1.1 reserves the names of 2.0 beside its own: of two moments the narrower counts.
    """
    starts, ends = zip(_VALIDITY_1, _VALIDITY_2, strict=True)
    known = [[moment for key in keys if (moment := _moment(document.get(key)))] for keys in (starts, ends)]
    return max(known[0], default=None), min(known[1], default=None)


def _is_version_1(document: JsonObject) -> bool:
    context = document.get("@context")
    return isinstance(context, list) and context[:1] == [CREDENTIALS_V1]


def _context(document: JsonObject) -> Iterator[str]:
    context = document.get("@context")
    if not isinstance(context, list) or not context or context[0] not in (CREDENTIALS_V1, CREDENTIALS_V2):
        yield f"$.@context: must be an array that starts with {CREDENTIALS_V2}"
        return
    for index, item in enumerate(context):
        if not isinstance(item, dict) and not is_absolute_iri(item):
            yield f"$.@context[{index}]: must be a URL or an object"


def _identifier(document: JsonObject) -> Iterator[str]:
    if "id" in document and not is_absolute_iri(document["id"]):
        yield "$.id: must be a single URL"


def _type(document: JsonObject) -> Iterator[str]:
    types = many(document.get("type"))
    if "VerifiableCredential" not in types or not all(isinstance(name, str) for name in types):
        yield "$.type: must be strings, with VerifiableCredential among them"


def _issuer(document: JsonObject) -> Iterator[str]:
    issuer = document.get("issuer")
    if isinstance(issuer, dict):
        if not is_absolute_iri(issuer.get("id")):
            yield "$.issuer.id: must be a URL"
        yield from _language_values(issuer, "$.issuer")
    elif not is_absolute_iri(issuer):
        yield "$.issuer: must be a URL, or an object with an id that is a URL"


def _subject(document: JsonObject) -> Iterator[str]:
    subjects = many(document.get("credentialSubject"))
    if not subjects:
        yield "$.credentialSubject: must be there and not be empty"
    for subject in subjects:
        if not isinstance(subject, dict) or not subject:
            yield "$.credentialSubject: every subject must be an object that says something"
        elif "id" in subject and not is_absolute_iri(subject["id"]):
            yield "$.credentialSubject.id: must be a single URL"


def _validity_2(document: JsonObject) -> Iterator[str]:
    yield from _moments(document, *_VALIDITY_2)


def _validity_1(document: JsonObject) -> Iterator[str]:
    if "issuanceDate" not in document:
        yield "$.issuanceDate: must be there"
    yield from _moments(document, *_VALIDITY_1)
    yield from _moments(document, *_VALIDITY_2)


def _moments(document: JsonObject, start: str, end: str) -> Iterator[str]:
    for key in (start, end):
        if key in document and _moment(document[key]) is None:
            yield f"$.{key}: must be a date and time with a time zone, such as 2026-01-31T12:00:00Z"
    first, last = _moment(document.get(start)), _moment(document.get(end))
    if first is not None and last is not None and last < first:
        yield f"$.{end}: must not be earlier than {start}"


def _moment(value: JsonValue) -> datetime | None:
    return datetimes.parse(value) if isinstance(value, str) else None


def _typed_members(document: JsonObject) -> Iterator[str]:
    for key in _TYPED:
        if key not in document:
            continue
        for entry in many(document[key]) or [None]:
            if not isinstance(entry, dict) or not _has_type(entry):
                yield f"$.{key}: must be an object with a type"
            elif key == "credentialSchema" and not is_absolute_iri(entry.get("id")):
                yield f"$.{key}.id: must be a URL"
            elif "id" in entry and not is_absolute_iri(entry["id"]):
                yield f"$.{key}.id: must be a single URL"


def _names(document: JsonObject) -> Iterator[str]:
    yield from _language_values(document, "$")


def _related_resources(document: JsonObject) -> Iterator[str]:
    if "relatedResource" in document:
        yield from related_resources.problems(document["relatedResource"])


def _status_ids(document: JsonObject) -> Iterator[str]:
    for key in ("credentialStatus", "refreshService"):
        for entry in many(document.get(key)):
            if isinstance(entry, dict) and "id" not in entry:
                yield f"$.{key}.id: must be a URL"


_Rules = tuple[Callable[[JsonObject], Iterator[str]], ...]
_EITHER: _Rules = (_context, _identifier, _type, _issuer, _subject)
_RULES_2: _Rules = (*_EITHER, _validity_2, _typed_members, _names, _related_resources)
_RULES_1: _Rules = (*_EITHER, _validity_1, _typed_members, _status_ids)


def _language_values(owner: JsonObject, place: str) -> Iterator[str]:
    """`name` and `description`: text, or text with its language and direction, one or several."""
    for key in ("name", "description"):
        if key in owner and not all(map(_is_text, many(owner[key]))):
            yield f"{place}.{key}: must be a string or an object of @value, @language and @direction"


def _is_text(value: JsonValue) -> bool:
    if isinstance(value, dict):
        texts = all(isinstance(text, str) for text in value.values())
        return texts and "@value" in value and value.keys() <= _LANGUAGE_MEMBERS and _is_direction(value)
    return isinstance(value, str)


def _is_direction(value: JsonObject) -> bool:
    return value.get("@direction", "ltr") in ("ltr", "rtl")


def _has_type(entry: JsonObject) -> bool:
    types = many(entry.get("type"))
    return bool(types) and all(isinstance(name, str) for name in types)
