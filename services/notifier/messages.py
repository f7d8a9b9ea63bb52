"""What is said: the body of a webhook and the letter to a learner, the same bytes at every attempt.

A notification is asked for in a wording and keeps it: attempts go on for days, and a release may come between
two of them. What must read differently is a new wording beside the old ones (tests/unit/notifier/golden holds
their bytes). Only the address in From follows the settings.

Everything comes from the fact that is told, its time included; nothing from the attempt. A webhook's body has
ids, links and names of achievements, never the learner's name, e-mail or id, nor why a credential was
revoked: that is between the issuer and the learner, and stands in the letter alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import orjson

from services.notifier.domain import About, CredentialFacts
from services.notifier.letters import LetterFacts, credential_revoked_letter, credential_signed_letter
from shared.contracts.sealed import SealedLearner
from shared.errors import Unavailable

REASONS: Final = {
    "issued-in-error": "it was issued in error",
    "assessment-invalidated": "the assessment behind it was invalidated",
    "misconduct": "the rules of the assessment were broken",
    "superseded": "a newer credential takes its place",
    "key-compromise": "the key that signed it is no longer safe",
    "learner-request": "you asked for it",
}
STATUS: Final[dict[About, str]] = {"credential.signed": "valid", "credential.revoked": "revoked"}


def credential_url(public_url: str, credential_id: str) -> str:
    """Return the address of the credential's page."""
    return f"{public_url}/credentials/{credential_id}"


def happened_at(about: About, facts: CredentialFacts) -> datetime:
    """Return when the fact happened, by its event."""
    if about == "credential.revoked" and facts.revoked_at is not None:
        return facts.revoked_at
    return facts.signed_at


def webhook_body(
    notification_id: str, issuer_id: str, about: About, facts: CredentialFacts, public_url: str
) -> bytes:
    """Return the JSON that a subscriber gets; services/notifier/README.md documents its members."""
    moment = happened_at(about, facts).astimezone(UTC).isoformat(timespec="milliseconds")
    return orjson.dumps(
        {
            "type": about,
            "id": notification_id,
            "timestamp": moment.replace("+00:00", "Z"),
            "data": {
                "credential_id": facts.credential_id,
                "credential_url": credential_url(public_url, facts.credential_id),
                "status": STATUS[about],
                "achievement_id": facts.achievement_id,
                "achievement_version": facts.achievement_version,
                "achievement_name": facts.achievement_name,
                "issuer_id": issuer_id,
                "issuer_name": facts.issuer_name,
            },
        }
    )


def message_id(notification_id: str, public_url: str) -> str:
    """Return the Message-ID (RFC 5322 §3.6.4) of every attempt at one letter."""
    host = re.sub(r"[^a-z0-9.-]", "-", urlsplit(public_url).hostname or "localhost")
    return f"<{notification_id}@{host}>"


def letter(
    notification_id: str,
    about: About,
    facts: CredentialFacts,
    learner: SealedLearner,
    public_url: str,
    sender: str,
) -> bytes:
    """Return the whole message to the learner. Raises Invalid where letters.py does."""
    told = LetterFacts(
        learner_name=learner.name,
        learner_email=learner.email,
        achievement_name=facts.achievement_name,
        issuer_name=facts.issuer_name,
        credential_url=credential_url(public_url, facts.credential_id),
        at=happened_at(about, facts),
        message_id=message_id(notification_id, public_url),
        sender=sender,
        reason=REASONS.get(facts.revocation_reason or "") if about == "credential.revoked" else None,
    )
    return (
        credential_revoked_letter(told) if about == "credential.revoked" else credential_signed_letter(told)
    )


class Wording(NamedTuple):
    """One version of all that is said."""

    webhook_body: Callable[[str, str, About, CredentialFacts, str], bytes]
    letter: Callable[[str, About, CredentialFacts, SealedLearner, str, str], bytes]


WORDINGS: Final[Mapping[int, Wording]] = {1: Wording(webhook_body, letter)}


def wording_of(number: int) -> Wording:
    """Return a wording. Raises Unavailable for one that only a newer program knows."""
    if number not in WORDINGS:
        raise Unavailable(f"Wording {number} is not known to this version of the notifier.")
    return WORDINGS[number]
