"""A running server around the service of answering.py, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest
from fastapi import APIRouter

from shared.access import Access
from shared.app import application, listening
from shared.bus.local import LocalBus
from shared.database import Database
from shared.guarded_route import Guard
from shared.limits import RateLimit
from shared.service import Running, Service
from tests.conftest import Roles
from tests.integration.answers.answering import SMALL_BYTES_MAX, api


@pytest.fixture
async def house(roles: Roles, issuer: Database, tmp_path: Path) -> AsyncIterator[Running]:
    """One service that does nothing but answer."""
    public = APIRouter()

    @public.get("/signed/{name}")
    async def signed(name: str) -> dict[str, str]:
        return {"signed": name}

    guard = Guard(Access(issuer), RateLimit(per_second=0.5, burst=3))
    bus = LocalBus(await Database.open(roles.dsn("bus_reader"), "bus_reader"))
    service = Service(
        name="issuer",
        database=issuer,
        migrations=tmp_path,
        api=api(guard),
        public=public,
        subscriptions=(),
        body_bytes_max={"/stream": SMALL_BYTES_MAX},
    )
    yield Running([service], bus)
    await bus.close()


@pytest.fixture
async def client(house: Running) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the running server."""
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(listening(application(house), "127.0.0.1", 0))
        yield await stack.enter_async_context(httpx2.AsyncClient(base_url=address, trust_env=False))
