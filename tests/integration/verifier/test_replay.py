"""The read model can be thrown away: the log makes it again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from services.verifier.recognition.recognised_list import RecognisedIssuer
from services.verifier.recognition.recognising import Operator, kept_issuers, recognise
from services.verifier.replay import rebuild, replay
from services.verifier.service import build
from services.verifier.settings import VerifierSettings
from services.verifier.store import READ_MODEL
from shared import clock
from shared.bus.local import LocalBus
from shared.contracts.issuers import ApiKeyCreated
from shared.database import Database
from shared.keys import EphemeralSigner
from shared.service import Running, running
from tests.integration.verifier.conftest import SETTLE_WAIT_S, Log, published_list
from tests.unit.verifier.credentials import INDEX, ISSUER, WEB

NewBus = Callable[[], Awaitable[LocalBus]]


async def rows(database: Database) -> dict[str, list[dict[str, Any]]]:
    async with database.connection() as connection:
        return {
            table: [dict(row) for row in await connection.fetch(f"SELECT * FROM {table} ORDER BY 1, 2")]
            for table in READ_MODEL
        }


async def fill(log: Log) -> None:
    await log.publish_tenant(WEB)
    await log.publish_tenant(ISSUER, tenant="south", name="South College")
    await log.append(
        published_list(ISSUER), published_list(ISSUER, version=2, revoked=[INDEX]), tenant="south"
    )
    now = clock.now()
    await log.append(
        ApiKeyCreated(
            prefix="abcd1234", sha256="0" * 64, label="x", scopes=(), created_at=now, expires_at=now
        )
    )


async def test_a_replay_makes_the_same_rows_again(
    settings: VerifierSettings, new_bus: NewBus, log: Log
) -> None:
    await fill(log)
    async with running([await build(settings)], await new_bus()) as house:
        await house.settled(SETTLE_WAIT_S)
        before = await rows(house.services[0].database)
    said = await replay(settings)
    assert said == "verifier: status lists, issuers, public keys and API keys rebuilt from 7 events."
    async with await Database.open(settings.database_url.get_secret_value(), "verifier") as database:
        assert await rows(database) == before
        async with database.connection() as connection:
            await connection.execute("UPDATE issuer SET name = 'altered'")
            await connection.execute("DELETE FROM status_list")
    await rebuild(await build(settings), await new_bus(), SETTLE_WAIT_S)
    async with await Database.open(settings.database_url.get_secret_value(), "verifier") as database:
        assert await rows(database) == before


async def test_a_replay_leaves_alone_what_no_event_holds(
    house: Running, settings: VerifierSettings, new_bus: NewBus
) -> None:
    signer = EphemeralSigner()
    operator = Operator(signer.public_key, "the operator of the tests", signer)
    database = house.services[0].database
    await recognise(database, operator, RecognisedIssuer(ISSUER.did, "North College", clock.now()))
    before = await kept_issuers(database)
    await rebuild(await build(settings), await new_bus(), SETTLE_WAIT_S)
    assert await kept_issuers(database) == before != []


async def test_a_replay_beside_a_verifier_at_work_harms_neither(
    house: Running, settings: VerifierSettings, new_bus: NewBus, log: Log
) -> None:
    await fill(log)
    await house.settled(SETTLE_WAIT_S)
    before = await rows(house.services[0].database)
    await rebuild(await build(settings), await new_bus(), SETTLE_WAIT_S)
    await house.settled(SETTLE_WAIT_S)
    assert await rows(house.services[0].database) == before
    assert house.problems() == {}
