"""What each wording says, byte for byte: a delivery that waits through a release says the same."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest

from services.notifier.domain import WORDING, About, CredentialFacts
from services.notifier.messages import WORDINGS, wording_of
from shared.contracts.sealed import SealedLearner
from shared.errors import Unavailable

GOLDEN = Path(__file__).parent / "golden"
NOTIFICATION = "7a1d6f7e-94a7-5d0e-8a43-0f0e1d2c3b4a"
PUBLIC_URL = "https://credentials.example.edu"
SENDER = "credentials@example.edu"
LEARNER = SealedLearner(name="Åsa Müller, née O'Hara <x>", email="asa@example.org")
FACTS = CredentialFacts(
    credential_id="5f0a3d1e-0c4b-8e2d-9a77-3a1b2c4d5e6f",
    learner_id="0b4b7a5e-5a0c-4c37-9d1f-2f6d5d1c9a11",
    achievement_id="01957c3e-2f00-7000-8000-000000000001",
    achievement_version=3,
    achievement_name="Données & éthique",
    issuer_name="Université d'Example",
    contact="sealed",
    signed_at=datetime(2026, 3, 14, 15, 9, 26, 535_000, UTC),
    revoked_at=datetime(2026, 4, 1, 8, 0, 0, 0, UTC),
    revocation_reason="issued-in-error",
)


def said(wording: int, about: About) -> dict[str, bytes]:
    """What a wording says of a fact, by the name of its golden file."""
    known = wording_of(wording)
    name = f"{wording}-{about.partition('.')[2]}"
    return {
        f"{name}.json": known.webhook_body(NOTIFICATION, "oslo", about, FACTS, PUBLIC_URL),
        f"{name}.eml": known.letter(NOTIFICATION, about, FACTS, LEARNER, PUBLIC_URL, SENDER),
    }


@pytest.mark.parametrize("about", get_args(About))
@pytest.mark.parametrize("wording", WORDINGS)
def test_a_wording_says_what_it_always_said(wording: int, about: About) -> None:
    """A golden file is never edited: what must read differently gets a new wording."""
    for name, message in said(wording, about).items():
        assert message == (GOLDEN / name).read_bytes(), name


def test_new_notifications_are_made_with_the_newest_wording() -> None:
    assert max(WORDINGS) == WORDING


def test_a_wording_of_a_newer_program_waits_for_it() -> None:
    with pytest.raises(Unavailable):
        wording_of(max(WORDINGS) + 1)
