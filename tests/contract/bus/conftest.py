"""Fixtures of the bus conformance suite: each test runs once for each kind of bus."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest

import shared.bus.consumer
from shared.database import Database
from tests.conftest import Roles
from tests.contract.bus.buses import KINDS, PREFIX, Kind
from tests.contract.bus.rig import Rig

ROLES = ("assessor", "issuer", "bus_reader")


@pytest.fixture(params=[pytest.param("kafka", marks=pytest.mark.kafka), "local"])
def bus_kind(request: pytest.FixtureRequest) -> str:
    """The kind of bus under test."""
    return str(request.param)


@pytest.fixture
def broker(bus_kind: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """Where the broker is, and what this test's names on it begin with; nothing for a bus without one."""
    if bus_kind != "kafka":
        return {}
    return {"kafka": request.getfixturevalue("kafka"), PREFIX: f"{uuid.uuid4().hex}."}


@pytest.fixture
def addresses(roles: Roles, broker: dict[str, str]) -> dict[str, str]:
    """Addresses of the database by role, and of the broker."""
    return {role: roles.dsn(role) for role in ROLES} | broker


@pytest.fixture
def kind(bus_kind: str, addresses: dict[str, str]) -> Kind:
    """The bus under test, with what provokes it."""
    return KINDS[bus_kind](addresses)


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for work and for requeues more often than in production: waits are not what is tested."""
    monkeypatch.setattr(shared.bus.consumer, "POLL_WAIT_S", 0.1)
    monkeypatch.setattr(shared.bus.consumer, "REQUEUE_CHECK_EVERY_S", 0.02)
    monkeypatch.setattr(shared.bus.consumer, "RETRY_WAIT_S", 0.02)


@pytest.fixture
async def rig(addresses: dict[str, str], kind: Kind) -> AsyncIterator[Rig]:
    """A producer and consumer with the bus between them."""
    async with (
        await Database.open(addresses["assessor"], "assessor") as producer,
        await Database.open(addresses["issuer"], "issuer") as own,
        kind.made(),
    ):
        bus = await kind.open()
        rig = Rig(producer, own, bus)
        await rig.prepare()
        async with rig.carrying():
            yield rig
        await bus.close()
