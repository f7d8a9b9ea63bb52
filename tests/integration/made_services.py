"""Services of a test's own making, on the local bus."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from fastapi import APIRouter

from shared.bus.consumer import Subscription
from shared.bus.local import LocalBus
from shared.contracts.learners import LearnerErased
from shared.database import Database
from shared.eventstore import Append, Meta
from shared.service import Loop, Service
from tests.conftest import Roles

META = Meta("operator:cli", "c-1")
WAIT_S = 30.0


def a_service(
    database: Database, folder: Path, *subscriptions: Subscription, loops: tuple[Loop, ...] = ()
) -> Service:
    """Return a service without an API, whose migrations are in `folder`."""
    return Service(database.schema, database, folder, APIRouter(), APIRouter(), subscriptions, loops)


async def nothing_pending() -> int:
    """What a loop without work says."""
    return 0


async def a_bus(roles: Roles) -> LocalBus:
    """Return a bus for one `running`, which closes it."""
    return LocalBus(await Database.open(roles.dsn("bus_reader"), "bus_reader"))


async def begin(database: Database) -> None:
    """Append an event, for a lane to take."""
    async with database.session() as session:
        event = LearnerErased(learner_id=str(uuid4()), erased_at=session.at)
        await session.append([Append("acme", event.stream, 0, (event,), META)])
