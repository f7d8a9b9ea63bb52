"""Every read model of a world that has lived is emptied and built again, byte for byte; nobody is told."""

from __future__ import annotations

import importlib
import re
from typing import Any

import asyncpg

from services import SERVICES
from services.demo.sample import SLUG, issuer_settings, sample_achievement
from services.issuer.api.examples import POSTED, STATUS_UPDATE
from services.issuer.handlers.api_keys import create_api_key, revoke_api_key
from services.issuer.projections import READ_MODELS as OF_ISSUER
from services.verifier.store import READ_MODEL as OF_VERIFIER
from services.world import DATABASE
from shared.access import Scope
from shared.clock import ordered_uuid
from shared.database import Database
from tests.integration.world.conftest import PeopledWorld
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


async def test_every_read_model_is_built_again_byte_for_byte_and_nobody_is_told(world: PeopledWorld) -> None:
    await live(world)
    told = (len(world.mailbox.messages), len(world.partner.received))
    assert told == (6, 6), "four signatures and two ends"
    assert READ_MODELS.keys() == SERVICES.keys()
    assert world.installation.cluster is not None
    connection = await asyncpg.connect(world.installation.cluster.dsn(DATABASE))
    try:
        before = await rows(connection)
        for service, tables in READ_MODELS.items():
            for table in tables:
                assert before[f"{service}.{table}"], "a table that was never filled proves nothing"
            await connection.execute(f"TRUNCATE {', '.join(f'{service}.{table}' for table in tables)}")
            module = importlib.import_module(f"{SERVICES[service]}.replay")
            said = await module.replay(world.installation.settings[service])
            assert re.fullmatch(rf"{service}: .+ rebuilt from [1-9]\d* events\.", said)
        await world.settled()
        after = await rows(connection)
    finally:
        await connection.close()
    for table, lines in before.items():
        assert after[table] == lines, table
    assert (len(world.mailbox.messages), len(world.partner.received)) == told
    await world.passed()
    assert (len(world.mailbox.messages), len(world.partner.received)) == (7, 7), "the world works on, once"
