"""Fixtures of the bus conformance suite: each test runs once for each kind of bus."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import shared.bus.consumer
from shared.database import SHARED_MIGRATIONS, Database, migrate, read_migrations
from tests.conftest import Roles
from tests.contract.bus.buses import KINDS, LocalKind
from tests.contract.bus.rig import Rig

ROLES = ("assessor", "issuer", "bus_reader")


@pytest.fixture(params=sorted(KINDS))
def bus_kind(request: pytest.FixtureRequest) -> str:
    """The kind of bus under test."""
    return str(request.param)


@pytest.fixture
def dsns(roles: Roles) -> dict[str, str]:
    """Addresses by role."""
    return {role: roles.dsn(role) for role in ROLES}


@pytest.fixture
def kind(bus_kind: str, dsns: dict[str, str]) -> LocalKind:
    """The bus under test, with what provokes it."""
    return KINDS[bus_kind](dsns)


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for work and for requeues more often than in production: waits are not what is tested."""
    monkeypatch.setattr(shared.bus.consumer, "POLL_WAIT_S", 0.1)
    monkeypatch.setattr(shared.bus.consumer, "REQUEUE_CHECK_EVERY_S", 0.02)
    monkeypatch.setattr(shared.bus.consumer, "RETRY_WAIT_S", 0.02)


@pytest.fixture
async def rig(dsns: dict[str, str], kind: LocalKind) -> AsyncIterator[Rig]:
    """A migrated producer and consumer with the bus between them."""
    bus = await kind.open()
    async with (
        await Database.open(dsns["assessor"], "assessor") as producer,
        await Database.open(dsns["issuer"], "issuer") as own,
    ):
        for database in (producer, own):
            await migrate(database, read_migrations("shared", SHARED_MIGRATIONS))
        rig = Rig(producer, own, bus)
        await rig.prepare()
        yield rig
    await bus.close()
