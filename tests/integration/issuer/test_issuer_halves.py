"""Desk and signer apart: together they issue, and only one of them reaches a private key."""

from __future__ import annotations

import asyncpg
import pydantic
import pytest

from services.issuer.handlers.signing_keys import open_keys
from services.issuer.settings import IssuerSettings
from shared.bus.local import LocalBus
from shared.contracts.credentials import CredentialIssued, CredentialSigned
from shared.database import Database
from shared.errors import Invalid
from shared.provision import LOGIN_ROLES, SIGNER_ROLE
from shared.service import running
from tests.integration.issuer.conftest import SETTLE_WAIT_S, Desk, client

DESK = {"only": "desk", "signing_database_url": None}
SIGNER = {"only": "signer"}


def half(desk: Desk, changes: dict[str, str | None]) -> IssuerSettings:
    """The settings of one half."""
    return IssuerSettings.model_validate(desk.settings.model_dump() | changes)


async def test_a_desk_and_two_signers_do_what_one_issuer_does(desk: Desk) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement()
    for number in range(3):
        await desk.passes(await desk.learner(), achievement_id, f"a-{number}")

    async def bus() -> LocalBus:
        return LocalBus(await Database.open(desk.roles.dsn("bus_reader"), "bus_reader"))

    async with running([await desk.service(settings=half(desk, DESK))], await bus()) as house:
        await house.settled(SETTLE_WAIT_S)
        assert len(await desk.log(CredentialIssued)) == 3
        assert not await desk.log(CredentialSigned)
        async with (
            running([await desk.service(settings=half(desk, SIGNER))], await bus()) as signer,
            running([await desk.service(settings=half(desk, SIGNER))], await bus()) as second,
        ):
            await desk.passes(await desk.learner(), achievement_id, "a-3")
            await house.settled(SETTLE_WAIT_S)
            await signer.settled(SETTLE_WAIT_S)
            await second.settled(SETTLE_WAIT_S)
    assert len({each.stream for each in await desk.log(CredentialSigned)}) == 4
    assert len(await desk.log(CredentialSigned)) == 4


async def test_the_signer_answers_no_caller(desk: Desk) -> None:
    await desk.tenant()
    service = await desk.service(settings=half(desk, SIGNER))
    bus = LocalBus(await Database.open(desk.roles.dsn("bus_reader"), "bus_reader"))
    async with running([service], bus) as house, client(house, await desk.api_key("oslo")) as http:
        assert (await http.get("/health/live")).status_code == 200
        assert (await http.get("/issuer/credentials?assessment_id=a-1")).status_code == 404
        assert (await http.post("/issuer/achievements", json={})).status_code == 404
        assert (await http.get("/issuers/oslo/did.json")).status_code == 404


@pytest.mark.parametrize("role", [role for role in LOGIN_ROLES if role != SIGNER_ROLE])
async def test_no_other_role_reads_a_private_key(desk: Desk, role: str) -> None:
    await desk.tenant()
    async with await open_keys(desk.settings) as keys, keys.connection() as signer:
        assert await signer.fetchval("SELECT count(*) FROM signing_key") == 1
    connection = await asyncpg.connect(desk.roles.dsn(role))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT * FROM signing.signing_key")
    finally:
        await connection.close()


async def test_the_signers_role_reads_nothing_but_private_keys(desk: Desk) -> None:
    connection = await asyncpg.connect(desk.roles.dsn(SIGNER_ROLE))
    try:
        for table in ("issuer.event", "issuer.tenant", "vault.learner_key", "assessor.event"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT * FROM {table}")
    finally:
        await connection.close()


async def test_a_desk_that_is_given_the_way_to_private_keys_does_not_start(desk: Desk) -> None:
    with pytest.raises(pydantic.ValidationError, match="must not be set for the desk"):
        half(desk, {"only": "desk"})
    with pytest.raises(pydantic.ValidationError, match="must be set"):
        half(desk, {"only": "signer", "signing_database_url": None})
    with pytest.raises(Invalid, match="not the signer"):
        await open_keys(half(desk, DESK))
