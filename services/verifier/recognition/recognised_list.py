"""The signed list of issuers that an operator recognises: an Open Badges 3.0 EndorsementCredential.

Its issuer is the operator, each of its subjects an issuer: `id` (the DID), `name` (as the operator knows it)
and `awardedDate` (since when). So any other verifier of Open Badges can check the list, and operators can
hand it on. Refuses, when reading, whatever is not such a list; whether its signature holds is asked
elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from shared.errors import Invalid
from shared.proofs import datetimes
from shared.proofs.contexts import CREDENTIALS_V2, OPEN_BADGES_V3
from shared.proofs.several import many
from shared.proofs.strictjson import JsonObject, JsonValue

ENTRIES_MAX: Final = 400
"""What canonicalising takes; the lists of several operators stand side by side."""
NAME_CHARS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class RecognisedIssuer:
    """An issuer whom an operator recognises under `name`, since then."""

    did: str
    name: str
    since: datetime


@dataclass(frozen=True, slots=True)
class RecognisedList:
    """What one operator's list says."""

    operator: str
    operator_name: str
    valid_from: datetime
    valid_until: datetime | None
    issuers: tuple[RecognisedIssuer, ...]


def list_document(
    identifier: str, operator: str, operator_name: str, issuers: Sequence[RecognisedIssuer], at: datetime
) -> JsonObject:
    """The list as it is to be signed. Raises Invalid for an entry that `read_list` would refuse."""
    subjects: list[JsonValue] = [
        {
            "id": issuer.did,
            "type": ["EndorsementSubject"],
            "name": issuer.name,
            "awardedDate": _stamp(issuer.since),
        }
        for issuer in issuers
    ]
    document: JsonObject = {
        "@context": [CREDENTIALS_V2, OPEN_BADGES_V3],
        "id": identifier,
        "type": ["VerifiableCredential", "EndorsementCredential"],
        "name": "Recognised issuers",
        "issuer": {"id": operator, "type": ["Profile"], "name": operator_name},
        "validFrom": _stamp(at),
        "credentialSubject": subjects,
    }
    read_list(document)
    return document


def read_list(document: JsonObject) -> RecognisedList:
    """Read a list; `document` is a well-formed credential. Raises Invalid('recognised-list-malformed')."""
    issuer = document.get("issuer")
    operator = issuer if isinstance(issuer, dict) else {}
    if "EndorsementCredential" not in many(document.get("type")):
        raise _malformed("it is not an EndorsementCredential")
    subjects = many(document.get("credentialSubject"))
    if len(subjects) > ENTRIES_MAX:
        raise _malformed(f"it names more than {ENTRIES_MAX} issuers")
    issuers = tuple(_issuer(subject) for subject in subjects)
    if len({each.did for each in issuers}) < len(issuers):
        raise _malformed("it names an issuer twice")
    until = document.get("validUntil")
    return RecognisedList(
        operator=_did(operator.get("id")),
        operator_name=_name(operator.get("name")),
        valid_from=_moment(document.get("validFrom")),
        valid_until=None if until is None else _moment(until),
        issuers=issuers,
    )


def _issuer(subject: JsonValue) -> RecognisedIssuer:
    if not isinstance(subject, dict):
        raise _malformed("a subject is not an object")
    did, name, since = subject.get("id"), subject.get("name"), subject.get("awardedDate")
    return RecognisedIssuer(_did(did), _name(name), _moment(since))


def _did(value: JsonValue) -> str:
    if not isinstance(value, str) or not value.startswith("did:") or "#" in value:
        raise _malformed("an issuer or its operator has no DID")
    return value


def _name(value: JsonValue) -> str:
    if not isinstance(value, str) or not 0 < len(value.strip()) <= NAME_CHARS_MAX:
        raise _malformed(f"a name is not text of 1 to {NAME_CHARS_MAX} characters")
    return value


def _moment(value: JsonValue) -> datetime:
    moment = datetimes.parse(value) if isinstance(value, str) else None
    if moment is None:
        raise _malformed("a date is not a date and time with a time zone")
    return moment


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _malformed(reason: str) -> Invalid:
    return Invalid("recognised-list-malformed", "This is not a list of recognised issuers.", (reason,))
