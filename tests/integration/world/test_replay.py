"""Every read model of a world that has lived is emptied and built again, byte for byte; nobody is told."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg

from services import SERVICES
from services.demo.provider import Provider
from services.demo.sample import KEY_FILE, SLUG, issuer_settings, sample_achievement
from services.issuer.api.examples import POSTED, STATUS_UPDATE
from services.issuer.handlers.api_keys import create_api_key, revoke_api_key
from services.issuer.projections import READ_MODELS as OF_ISSUER
from services.receivers import Mailbox, PartnerEndpoint
from services.verifier.store import READ_MODEL as OF_VERIFIER
from services.world import DATABASE, world_environment
from shared.access import Scope
from shared.clock import ordered_uuid
from shared.database import Database
from shared.embedded import free_port
from shared.settings import Settings
from tests.integration.world.conftest import PeopledWorld, installed, peopled
from tests.integration.world.dumps import TABLES

READ_MODELS = {
    "assessor": ("attempt", "achievement", "api_key"),
    "issuer": (*OF_ISSUER, "api_key"),
    "verifier": OF_VERIFIER,
    "notifier": ("credential", "api_key"),
}
TRANSPORT = ("cursor", "inbox", "dead_letter")
"""How far a consumer has come: a replay may read everything again."""


async def live(world: PeopledWorld) -> None:
    """Have the world see every kind of event that a read model is made of."""
    definition, _ = sample_achievement()
    achievement_id = str(ordered_uuid())
    await world.provider.publish_achievement(definition | {"on_second_pass": "supersede"}, achievement_id)
    settings = issuer_settings(world.installation.folder)
    async with await Database.open(settings.database_url.get_secret_value(), "issuer", 2) as database:
        spent = await create_api_key(database, SLUG, "spent", [Scope.CREDENTIALS_READ], 1)
        await revoke_api_key(database, SLUG, spent.prefix)
    await world.settled()
    learner = {"reference": "twice", "name": "Twice Told", "email": "twice@example.org"}
    for _ in range(2):
        await world.passed(achievement_id=achievement_id, learner=learner)
    withdrawn, forgotten = await world.passed(), await world.passed()
    await world.provider.revoke(withdrawn["credential_id"], "misconduct")
    await world.provider.erase(forgotten["learner_id"])
    for number in range(3):
        name = f"urn:example:replayed-{number}"
        posted = {"credential": POSTED["credential"] | {"id": name}}
        await world.provider._send("POST", "/issuer/credentials/issue", json=posted)
    ended = STATUS_UPDATE | {"credentialId": "urn:example:replayed-1"}
    await world.provider._send("POST", "/issuer/credentials/status", json=ended)
    await world.provider._send("DELETE", "/issuer/credentials/urn:example:replayed-2")
    failed = world.assessment()
    failed["results"] = dict.fromkeys(failed["results"], "missing")
    await world.provider.submit(failed)
    await world.settled()


async def rows(connection: asyncpg.Connection[Any]) -> dict[str, list[str]]:
    """Return every row of every table, in order, save how far consumers have come."""
    tables = [row["name"] for row in await connection.fetch(TABLES)]
    return {
        table: [
            row["row"] for row in await connection.fetch(f"SELECT t::text AS row FROM {table} t ORDER BY 1")
        ]
        for table in tables
        if table.partition(".")[2] not in TRANSPORT
    }


async def rebuilt(connection: asyncpg.Connection[Any], settings: Mapping[str, Settings]) -> None:
    """Empty every read model and build it again, with no service at work: one would fill it from nothing."""
    for service, tables in READ_MODELS.items():
        for table in tables:
            filled = await connection.fetchval(f"SELECT EXISTS (SELECT FROM {service}.{table})")
            assert filled, f"{service}.{table} was never filled: to empty it proves nothing"
        await connection.execute(f"TRUNCATE {', '.join(f'{service}.{table}' for table in tables)}")
        module = importlib.import_module(f"{SERVICES[service]}.replay")
        said = await module.replay(settings[service])
        assert re.fullmatch(rf"{service}: .+ rebuilt from [1-9]\d* events\.", said)


async def test_every_read_model_is_built_again_byte_for_byte_and_nobody_is_told(
    world_folder: Path, tmp_path: Path
) -> None:
    assert READ_MODELS.keys() == SERVICES.keys()
    port = free_port()
    async with Mailbox(tmp_path / "mail") as mailbox, PartnerEndpoint() as partner:
        async with installed(world_folder, port, mailbox, {}) as installation:
            async with peopled(installation, mailbox, partner) as world:
                await live(world)
            told = (len(mailbox.messages), len(partner.received))
            assert told == (6, 6), "four signatures and two ends"
        async with world_environment(installation.folder, port, {}, durable=False) as (_, cluster):
            assert cluster is not None
            connection = await asyncpg.connect(cluster.dsn(DATABASE))
            try:
                before = await rows(connection)
                await rebuilt(connection, installation.settings)
                after = await rows(connection)
            finally:
                await connection.close()
            for table, lines in before.items():
                assert after[table] == lines, table
        token = (installation.folder / KEY_FILE).read_text("ascii").strip()
        async with (
            installed(world_folder, port, mailbox, {}) as installation,
            Provider(installation.address, token) as world.provider,
        ):
            world.installation = installation
            await world.settled()
            assert (len(mailbox.messages), len(partner.received)) == told
            await world.passed()
            assert (len(mailbox.messages), len(partner.received)) == (7, 7), "the world works on, once"
