"""What each process is given: what it reads, and of secrets nothing that is another's."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.configuration import settings_from
from services.fleet.parts import DESK, PARTS, SIGNER, Part, process_environment
from services.world import world_environment
from shared.embedded import free_port

KAFKA = {"BUS": "kafka", "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}
MAIL = {
    "SMTP_HOST": "127.0.0.1",
    "SMTP_PORT": "2525",
    "SMTP_ENCRYPTION": "none",
    "MAIL_SENDER": "a@example.org",
}
SECRETS = {
    "assessor": {"ASSESSOR_DATABASE_URL", "MASTER_KEY_FILE"},
    "desk": {"ISSUER_DATABASE_URL", "VAULT_DATABASE_URL", "MASTER_KEY_FILE"},
    "signer": {"ISSUER_DATABASE_URL", "VAULT_DATABASE_URL", "SIGNING_DATABASE_URL", "MASTER_KEY_FILE"},
    "verifier": {"VERIFIER_DATABASE_URL"},
    "notifier": {"NOTIFIER_DATABASE_URL", "VAULT_DATABASE_URL", "MASTER_KEY_FILE"},
}


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
async def test_a_process_is_given_its_own_secrets_alone_and_starts_with_them(
    part: Part, tmp_path: Path
) -> None:
    async with world_environment(tmp_path, free_port(), KAFKA | MAIL, durable=False) as (world, _):
        given = process_environment(part, world, 8099)
        assert {name for name in given if "DATABASE_URL" in name or "KEY" in name} == SECRETS[part.name]
        passwords = {name: world[name] for name in world if name.endswith("DATABASE_URL")}
        assert {name for name, address in passwords.items() if address in given.values()} == {
            name for name in SECRETS[part.name] if name.endswith("DATABASE_URL")
        }
        settings = settings_from(part.service, given)
        assert (settings.bus, settings.http_port) == ("kafka", 8099)


def test_the_halves_of_the_issuer_are_told_which_they_are() -> None:
    assert process_environment(DESK, {}, 1)["ISSUER_ONLY"] == "desk"
    assert process_environment(SIGNER, {}, 1)["ISSUER_ONLY"] == "signer"
