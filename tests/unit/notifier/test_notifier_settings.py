"""The notifier does not start half: without a relay, a sender, or with development settings in production."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from services.notifier.settings import NotifierSettings

GOOD: dict[str, Any] = {
    "public_url": "https://credentials.example.edu",
    "master_key_file": "master.key",
    "bus_database_url": "postgresql://bus_reader@localhost/x",
    "database_url": "postgresql://notifier@localhost/x",
    "vault_database_url": "postgresql://vault_reader@localhost/x",
    "smtp_host": "relay.example.edu",
    "mail_sender": "credentials@example.edu",
}


def test_settings_of_production_that_are_complete_are_taken() -> None:
    settings = NotifierSettings(**GOOD)
    assert settings.relay.encryption == "starttls"
    assert settings.outbound_limits.connections_max == settings.webhooks_in_flight_max


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"smtp_host": ""}, "does not start without a relay"),
        ({"mail_sender": ""}, "MAIL_SENDER must be a bare e-mail address"),
        ({"mail_sender": "Alpha <a@example.edu>"}, "MAIL_SENDER must be a bare e-mail address"),
        ({"outbound_allow_loopback": True}, "production refuses it"),
        ({"smtp_encryption": "none"}, "for a relay on this machine"),
        ({"lease_s": 50, "attempt_wait_s": 40}, "at least twice"),
    ],
)
def test_settings_that_do_not_work_are_refused_with_a_sentence(
    changed: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValidationError, match=sentence):
        NotifierSettings(**GOOD | changed)


def test_a_relay_that_is_not_named_is_missed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMTP_HOST", raising=False)
    with pytest.raises(ValidationError, match="SMTP_HOST is not set"):
        NotifierSettings(**{name: value for name, value in GOOD.items() if name != "smtp_host"})


def test_production_takes_a_plain_relay_on_the_same_machine() -> None:
    assert NotifierSettings(**GOOD | {"smtp_encryption": "none", "smtp_host": "127.0.0.1"})
