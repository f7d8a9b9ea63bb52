"""PUBLIC_URL is for ever: it stands in all that is signed, so an issuer under another one does not start."""

from __future__ import annotations

import asyncio

import pytest

from services.issuer.handlers.tenants import IssuerView, create_issuer, list_issuers
from services.issuer.settings import IssuerSettings
from shared.database import Database
from shared.errors import Conflict
from tests.integration.issuer.conftest import Desk, client
from tests.unit.issuer.samples import PROFILE

MOVED = "https://other.example.edu"


def moved(desk: Desk) -> IssuerSettings:
    """The same installation under another address."""
    return desk.settings.model_copy(update={"public_url": MOVED})


async def test_an_issuer_starts_again_under_its_address_and_under_no_other(desk: Desk) -> None:
    await desk.tenant()
    for _ in range(2):
        async with desk.house() as house, client(house) as http:
            assert (await http.get("/issuers/oslo")).status_code == 200
    with pytest.raises(Conflict) as refusal:
        async with desk.house(settings=moved(desk)):
            pytest.fail("it started under another address")
    assert refusal.value.code == "public-url-changed"
    assert f"PUBLIC_URL is {MOVED}" in refusal.value.message
    assert f"set PUBLIC_URL to {desk.settings.public_url} again" in refusal.value.message


async def test_before_the_first_tenant_the_address_may_still_change(desk: Desk) -> None:
    async with desk.house():
        pass
    async with desk.house(settings=moved(desk)):
        pass
    async with desk.database() as database:
        view = await create_issuer(database, moved(desk), "oslo", PROFILE)
    assert view.did == "did:web:other.example.edu:issuers:oslo"


async def test_no_issuer_is_made_under_another_address_than_the_first(desk: Desk) -> None:
    await desk.tenant()
    log = await desk.log()
    async with desk.database() as database:
        for slug in ("oslo", "bergen"):
            with pytest.raises(Conflict, match="public-url-changed"):
                await create_issuer(database, moved(desk), slug, PROFILE)
        assert [view.slug for view in await list_issuers(database)] == ["oslo"]
    assert await desk.log() == log


async def test_of_two_first_issuers_under_two_addresses_one_is_made(desk: Desk) -> None:
    async def make(settings: IssuerSettings, slug: str) -> IssuerView:
        async with desk.database() as database:
            return await create_issuer(database, settings, slug, PROFILE)

    answers = await asyncio.gather(
        make(desk.settings, "oslo"), make(moved(desk), "bergen"), return_exceptions=True
    )
    made = [answer.slug for answer in answers if isinstance(answer, IssuerView)]
    (refusal,) = [answer for answer in answers if isinstance(answer, Conflict)]
    assert refusal.code == "public-url-changed"
    async with desk.database() as database:
        assert [view.slug for view in await list_issuers(database)] == made


async def test_an_issuer_older_than_the_record_learns_its_address_from_its_own_log(desk: Desk) -> None:
    await desk.tenant()
    async with desk.database() as database:
        await _forget_the_record(database)
    with pytest.raises(Conflict, match=desk.settings.public_url):
        async with desk.house(settings=moved(desk)):
            pytest.fail("it started under another address")
    async with desk.house():
        pass


async def _forget_the_record(database: Database) -> None:
    """Take the schema back to where it was before there was a record."""
    async with database.session() as session:
        await session.connection.execute("DROP TABLE installation")
        await session.connection.execute("DELETE FROM migration WHERE name = 'issuer/0002_installation.sql'")
