"""The crash tests' judge is judged: deliveries that it has to pass, and such as it has to see through.

Made up of real webhooks and letters, so that what the judge reads in them is what really stands there.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.notifier.domain import About, CredentialFacts
from services.notifier.messages import letter, webhook_body
from services.receivers import ReceivedMail, ReceivedWebhook
from shared.contracts.sealed import SealedLearner
from tests.chaos.checks import told_by_letter, told_by_webhook

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
URL = "https://credentials.example.edu"
LEARNER = SealedLearner(name="Åsa Müller", email="asa@example.org")


def told(identifier: str, credential_id: str, about: About) -> tuple[ReceivedWebhook, ReceivedMail]:
    """Return how a partner and a learner are told of a fact under an id."""
    facts = CredentialFacts(
        credential_id=credential_id,
        learner_id="learner",
        achievement_id="achievement",
        achievement_version=1,
        achievement_name="Revoked: how to bear it",  # no name may pass for what is told
        issuer_name="Université d'Été",
        contact="sealed",
        signed_at=AT,
        revoked_at=AT,
        revocation_reason="superseded",
    )
    body = webhook_body(identifier, "issuer", about, facts, URL)
    content = letter(identifier, about, facts, LEARNER, URL, "no-reply@example.edu")
    return (
        ReceivedWebhook({"webhook-id": identifier}, body, verified=True),
        ReceivedMail("no-reply@example.edu", (LEARNER.email,), content, Path("letter.eml")),
    )


FIRST = told("1", "a", "credential.signed")
SECOND = told("2", "b", "credential.signed")
THIRD = told("3", "a", "credential.revoked")
WANTED = Counter(
    {("a", "credential.signed"): 1, ("b", "credential.signed"): 1, ("a", "credential.revoked"): 1}
)


def judged(*tellings: tuple[ReceivedWebhook, ReceivedMail]) -> tuple[bool, bool]:
    """Tell whether the webhooks, and whether the letters, are what is wanted."""
    webhooks, letters = zip(*tellings, strict=True)
    return told_by_webhook(webhooks) == WANTED, told_by_letter(letters) == WANTED


def test_each_fact_under_one_id_passes_in_any_order() -> None:
    assert judged(THIRD, FIRST, SECOND) == (True, True)


def test_a_repetition_under_the_same_id_passes() -> None:
    assert judged(FIRST, SECOND, FIRST, THIRD, FIRST) == (True, True)


@pytest.mark.parametrize("other", [("a", "credential.signed"), ("a", "credential.revoked")], ids=str)
def test_one_fact_under_two_ids_does_not_make_up_for_another_that_was_never_told(
    other: tuple[str, About],
) -> None:
    assert judged(FIRST, told("2", *other), THIRD) == (False, False)


def test_one_kind_told_for_the_other_is_seen() -> None:
    assert judged(FIRST, SECOND, told("3", "a", "credential.signed")) == (False, False)
    assert judged(FIRST, told("2", "b", "credential.revoked"), THIRD) == (False, False)


def test_one_credential_told_for_another_is_seen() -> None:
    assert judged(FIRST, SECOND, told("3", "b", "credential.revoked")) == (False, False)


def test_an_id_that_comes_again_with_other_content_is_refused() -> None:
    webhook, message = told("1", "b", "credential.signed")
    with pytest.raises(AssertionError, match="1 came with other content"):
        told_by_webhook([FIRST[0], webhook])
    with pytest.raises(AssertionError, match=r"<1@credentials\.example\.edu> came with other content"):
        told_by_letter([FIRST[1], message])
