"""The verifier at work beside an issuer's log that the tests write to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient

from services.verifier.fetching.fetcher import LIMITS
from services.verifier.service import build
from services.verifier.settings import VerifierSettings
from shared import clock
from shared.app import application
from shared.bus.local import LocalBus
from shared.contracts.event import Event
from shared.contracts.issuers import IssuerKeyPublished, IssuerProfile, IssuerPublished
from shared.contracts.status_lists import StatusListPublished
from shared.database import Database
from shared.eventstore import Append, Meta
from shared.outbound import OutboundClient
from shared.service import Running, running
from tests.conftest import Roles
from tests.integration.authority import Authority
from tests.integration.loopback_server import Names
from tests.integration.verifier.strangers import HOST, Strangers, strangers_site
from tests.unit.verifier.credentials import LIST_ID, Signer, status_list

SETTLE_WAIT_S = 30.0
CALLER = "192.0.2.7"


@pytest.fixture
def settings(roles: Roles) -> VerifierSettings:
    return VerifierSettings(
        environment="development",
        public_url="https://credentials.example",
        master_key_file=Path("unused"),
        database_url=roles.dsn("verifier"),
        bus_database_url=roles.dsn("bus_reader"),
        outbound_allow_loopback=True,
        verifications_per_second_max=0.001,
        verifications_burst_max=8,
    )


@pytest.fixture
def new_bus(roles: Roles, issuer: Database) -> Callable[[], Awaitable[LocalBus]]:
    """Opens a bus on the issuer's log."""

    async def opened() -> LocalBus:
        return LocalBus(await Database.open(roles.dsn("bus_reader"), "bus_reader"))

    return opened


@pytest.fixture
def names() -> Names:
    """The resolver that the verifier asks: every name is this machine."""
    return Names(["127.0.0.1"])


@pytest.fixture
async def house(
    settings: VerifierSettings,
    new_bus: Callable[[], Awaitable[LocalBus]],
    authority: Authority,
    names: Names,
) -> AsyncIterator[Running]:
    outbound = OutboundClient(
        LIMITS, settings.outbound_allow_loopback, resolver=names, ssl_context=authority.trusted()
    )
    async with running([await build(settings, outbound)], await new_bus()) as started:
        yield started


@pytest.fixture
async def strangers(authority: Authority) -> AsyncIterator[Strangers]:
    """The web server of an issuer who is no tenant of ours."""
    async with strangers_site(authority.server(HOST)) as site:
        yield site


@pytest.fixture
async def client(house: Running) -> AsyncIterator[AsyncClient]:
    transport = ASGITransport(app=application(house), client=(CALLER, 1))
    async with AsyncClient(transport=transport, base_url="https://credentials.example") as opened:
        yield opened


class Log:
    """Writes what an issuer would, and waits until the verifier has it."""

    def __init__(self, issuer: Database) -> None:
        self._issuer = issuer
        self._versions: dict[tuple[str, str], int] = {}

    async def append(self, *events: Event, tenant: str = "north") -> None:
        async with self._issuer.session() as session:
            for event in events:
                version = self._versions.get((tenant, event.stream), 0)
                meta = Meta("operator:test", str(clock.ordered_uuid()))
                await session.append([Append(tenant, event.stream, version, (event,), meta)])
                self._versions[(tenant, event.stream)] = version + 1

    async def publish_tenant(
        self, signer: Signer, tenant: str = "north", name: str = "North College"
    ) -> None:
        profile = IssuerProfile(name=name, url="https://north.example")
        at = clock.now() - timedelta(days=1)
        await self.append(
            IssuerPublished(slug=tenant, did=signer.did, profile_version=1, profile=profile, published_at=at),
            published_key(signer, at),
            tenant=tenant,
        )


@pytest.fixture
def log(issuer: Database) -> Log:
    return Log(issuer)


def published_key(signer: Signer, valid_from: datetime) -> IssuerKeyPublished:
    return IssuerKeyPublished(
        did=signer.did, key_id=signer.method, public_key_multibase=signer.multikey, valid_from=valid_from
    )


def published_list(
    signer: Signer, version: int = 1, ends_in_s: int = 86_400, **members: Any
) -> StatusListPublished:
    """A status list of today, as the issuer would publish it; `members` as in credentials.status_list."""
    now = clock.now()
    begun, ends = now - timedelta(hours=1), now + timedelta(seconds=ends_in_s)
    credential = status_list(signer, validFrom=stamp(begun), validUntil=stamp(ends), **members)
    return StatusListPublished(
        list_id=LIST_ID, version=version, credential=credential.decode(), published_at=now, valid_until=ends
    )


def stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


async def verify(client: AsyncClient, credential: bytes | dict[str, Any]) -> dict[str, Any]:
    """The verdict over HTTP."""
    body = credential if isinstance(credential, bytes) else json.dumps(credential).encode()
    answer = await client.post("/verifier/verify", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    verdict: dict[str, Any] = answer.json()
    return verdict


def check(verdict: dict[str, Any], name: str) -> dict[str, Any]:
    """One check of a verdict."""
    return next(each for each in verdict["checks"] if each["name"] == name)
