"""Messages come from facts alone: the same facts give the same bytes, and partners get nothing personal."""

from __future__ import annotations

import email
import email.policy
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import get_args

import pytest

from services.notifier.domain import CredentialFacts
from services.notifier.messages import REASONS, letter, message_id, webhook_body
from shared.contracts.credentials import RevocationReason
from shared.contracts.sealed import SealedLearner

SIGNED_AT = datetime(2026, 11, 22, 12, 0, 0, 123000, tzinfo=UTC)
FACTS = CredentialFacts(
    credential_id="c",
    learner_id="the-learner",
    achievement_id="a",
    achievement_version=3,
    achievement_name="Data & Ethics",
    issuer_name="Alpha",
    contact="sealed-contact",
    signed_at=SIGNED_AT,
    revoked_at=SIGNED_AT + timedelta(days=1),
    revocation_reason="misconduct",
)
LEARNER = SealedLearner(name="Åsa Müller", email="asa@example.org")
PUBLIC_URL = "https://credentials.example.edu"


def test_a_body_is_the_documented_json_to_the_byte() -> None:
    assert webhook_body("n", "alpha", "credential.signed", FACTS, PUBLIC_URL) == (
        b'{"type":"credential.signed","id":"n","timestamp":"2026-11-22T12:00:00.123Z","data":{'
        b'"credential_id":"c","credential_url":"https://credentials.example.edu/credentials/c",'
        b'"status":"valid","achievement_id":"a","achievement_version":3,'
        b'"achievement_name":"Data & Ethics","issuer_id":"alpha","issuer_name":"Alpha"}}'
    )


def test_a_body_says_when_it_happened_in_utc_whatever_zone_the_fact_came_in() -> None:
    body = json.loads(webhook_body("n", "alpha", "credential.revoked", FACTS, PUBLIC_URL))
    assert body["timestamp"] == "2026-11-23T12:00:00.123Z"
    elsewhere = SIGNED_AT.astimezone(timezone(timedelta(hours=5)))
    moved = CredentialFacts(
        **{name: getattr(FACTS, name) for name in FACTS.__slots__} | {"signed_at": elsewhere}
    )
    assert webhook_body("n", "alpha", "credential.signed", moved, PUBLIC_URL) == webhook_body(
        "n", "alpha", "credential.signed", FACTS, PUBLIC_URL
    )


def test_the_news_of_a_signature_stays_the_same_after_the_revocation() -> None:
    body = json.loads(webhook_body("n", "alpha", "credential.signed", FACTS, PUBLIC_URL))
    assert body["data"]["status"] == "valid"


def test_a_letter_says_why_it_was_revoked_and_its_bytes_never_change() -> None:
    made = [
        letter("0b0e", "credential.revoked", FACTS, LEARNER, PUBLIC_URL, "c@example.edu") for _ in range(2)
    ]
    assert made[0] == made[1]
    message = email.message_from_bytes(made[0], policy=email.policy.default)
    body = message.get_body(("plain",))
    assert body is not None
    assert "Reason given: the rules of the assessment were broken" in body.get_content()
    assert message["Message-ID"] == "<0b0e@credentials.example.edu>"
    assert message["Date"].datetime == FACTS.revoked_at.replace(microsecond=0)


def test_every_reason_to_revoke_has_its_words() -> None:
    assert set(REASONS) == set(get_args(RevocationReason))


@pytest.mark.parametrize(
    ("public_url", "host"), [("http://127.0.0.1:8080", "127.0.0.1"), ("http://[::1]:8080", "--1")]
)
def test_a_message_id_is_well_formed_on_every_host(public_url: str, host: str) -> None:
    assert message_id("0b0e", public_url) == f"<0b0e@{host}>"
