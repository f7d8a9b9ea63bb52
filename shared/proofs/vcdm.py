"""The structural rules of the Verifiable Credentials Data Model 2.0 for a credential with an embedded proof.

JSON-LD would let most of these mistakes pass, and a schema language says them badly (a validUntil before
its validFrom). Every broken rule is one sentence that starts with its place; values are never repeated.
Whether types and terms are defined by the contexts is not asked here: safe mode does (jsonld_safety).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shared.proofs import datetimes
from shared.proofs.contexts import CREDENTIALS_V2
from shared.proofs.jsonld_safety import is_absolute_iri
from shared.proofs.strictjson import JsonObject, JsonValue

_LANGUAGE_MEMBERS = frozenset({"@value", "@language", "@direction"})
_TYPED = ("credentialStatus", "termsOfUse", "evidence", "refreshService", "credentialSchema")


def problems(document: JsonValue) -> list[str]:
    """One sentence per broken rule (sections 4.2 to 4.12 and 5.3); empty for a well-formed credential."""
    if not isinstance(document, dict):
        return ["$: a credential is a JSON object"]
    return [sentence for rule in _RULES for sentence in rule(document)]


def _context(document: JsonObject) -> Iterator[str]:
    context = document.get("@context")
    if not isinstance(context, list) or not context or context[0] != CREDENTIALS_V2:
        yield f"$.@context: must be an array that starts with {CREDENTIALS_V2}"
        return
    for index, item in enumerate(context):
        if not isinstance(item, dict) and not is_absolute_iri(item):
            yield f"$.@context[{index}]: must be a URL or an object"


def _identifier(document: JsonObject) -> Iterator[str]:
    if "id" in document and not is_absolute_iri(document["id"]):
        yield "$.id: must be a single URL"


def _type(document: JsonObject) -> Iterator[str]:
    types = _many(document.get("type"))
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
    subjects = _many(document.get("credentialSubject"))
    if not subjects:
        yield "$.credentialSubject: must be there and not be empty"
    for subject in subjects:
        if not isinstance(subject, dict) or not subject:
            yield "$.credentialSubject: every subject must be an object that says something"
        elif "id" in subject and not is_absolute_iri(subject["id"]):
            yield "$.credentialSubject.id: must be a single URL"


def _validity(document: JsonObject) -> Iterator[str]:
    moments = {}
    for key in ("validFrom", "validUntil"):
        if key not in document:
            continue
        text = document[key]
        moment = datetimes.parse(text) if isinstance(text, str) else None
        if moment is None:
            yield f"$.{key}: must be a date and time with a time zone, such as 2026-01-31T12:00:00Z"
        else:
            moments[key] = moment
    if len(moments) == 2 and moments["validUntil"] < moments["validFrom"]:
        yield "$.validUntil: must not be earlier than validFrom"


def _typed_members(document: JsonObject) -> Iterator[str]:
    for key in _TYPED:
        if key not in document:
            continue
        for entry in _many(document[key]) or [None]:
            if not isinstance(entry, dict) or not _has_type(entry):
                yield f"$.{key}: must be an object with a type"
            elif key == "credentialSchema" and not is_absolute_iri(entry.get("id")):
                yield f"$.{key}.id: must be a URL"
            elif "id" in entry and not is_absolute_iri(entry["id"]):
                yield f"$.{key}.id: must be a single URL"


def _names(document: JsonObject) -> Iterator[str]:
    yield from _language_values(document, "$")


def _related_resources(document: JsonObject) -> Iterator[str]:
    if "relatedResource" not in document:
        return
    seen: set[str] = set()
    for resource in _many(document["relatedResource"]):
        identifier = resource.get("id") if isinstance(resource, dict) else None
        if (
            not isinstance(resource, dict)
            or not isinstance(identifier, str)
            or not is_absolute_iri(identifier)
        ):
            yield "$.relatedResource: must be an object with an id that is a URL"
        elif identifier in seen:
            yield "$.relatedResource: two entries have one id"
        elif not isinstance(resource.get("digestSRI", resource.get("digestMultibase")), str):
            yield "$.relatedResource: must have digestSRI or digestMultibase"
        else:
            seen.add(identifier)


_RULES: tuple[Callable[[JsonObject], Iterator[str]], ...] = (
    _context,
    _identifier,
    _type,
    _issuer,
    _subject,
    _validity,
    _typed_members,
    _names,
    _related_resources,
)


def _language_values(owner: JsonObject, place: str) -> Iterator[str]:
    """`name` and `description`: text, or text with its language and direction, one or several."""
    for key in ("name", "description"):
        if key in owner and not all(map(_is_text, _many(owner[key]))):
            yield f"{place}.{key}: must be a string or an object of @value, @language and @direction"


def _is_text(value: JsonValue) -> bool:
    if isinstance(value, dict):
        return value.keys() <= _LANGUAGE_MEMBERS and isinstance(value.get("@value"), str)
    return isinstance(value, str)


def _has_type(entry: JsonObject) -> bool:
    types = _many(entry.get("type"))
    return bool(types) and all(isinstance(name, str) for name in types)


def _many(value: JsonValue) -> list[JsonValue]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
