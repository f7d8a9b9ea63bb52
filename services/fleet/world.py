"""A whole installation in one folder, every service a process of its own on a real Apache Kafka.

The same as services/world.py otherwise: the same PostgreSQL, folder and settings, and the same `World`, whose
`house` here works nothing itself; it asks databases and broker what waits for the processes that do. Where
`overrides` name a cluster (KAFKA_BOOTSTRAP_SERVERS), that one is used instead of a broker of our own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from services import SERVICES
from services.configuration import settings_from
from services.fleet.door import door
from services.fleet.fleet import Fleet
from services.fleet.parts import DESK, PARTS, Part, command_of, settings_of
from services.fleet.porch import porch
from services.starting import build, make_development_topics, open_bus
from services.world import HOST, World, check_free, world_environment
from services.world_folder import kept_port
from shared.app import listening
from shared.database import Database
from shared.embedded.kafka.artifacts import Say, silent
from shared.embedded.kafka.broker import Broker, running
from shared.embedded.kafka.place import Place
from shared.embedded.stopping import held
from shared.service import Running

OBSERVER_CONNECTIONS_MAX = "2"


@dataclass(frozen=True, slots=True)
class FleetWorld(World):
    """A World whose services are the processes of `fleet`."""

    fleet: Fleet

    def metrics(self) -> list[tuple[str, str]]:
        return [(child.name, f"{child.address}/metrics") for child in self.fleet.all()]


@asynccontextmanager
async def open_fleet(
    folder: Path,
    port: int,
    overrides: Mapping[str, str],
    *,
    say: Say = silent,
    command: Callable[[Part], list[str]] = command_of,
) -> AsyncIterator[FleetWorld]:
    """Start the installation of `folder` behind `port`, and end it when the block ends.

    `say` is told what takes long; `command` tells how a process is started. Raises NotFound where neither
    Docker nor Java and Maven are there, Conflict and Unavailable with the sentence of what did not start.
    """
    if kept_port(folder) is None:
        check_free(port)
    async with AsyncExitStack() as stack:
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True, mode=0o700)
        kafka = await stack.enter_async_context(kafka_of(folder, overrides, say))
        say("Starting PostgreSQL, and assessor, desk, signer, verifier and notifier, each as a process …")
        wanted = {**overrides, **kafka, "BUS": "kafka", "DRAIN_WAIT_S": "0"}
        environment, cluster = await stack.enter_async_context(world_environment(folder, port, wanted))
        check_free(port)
        settings = {name: settings_from(name, environment) for name in SERVICES}
        await make_development_topics(settings["issuer"])
        fleet = Fleet(folder / "log", environment, command)
        stack.push_async_callback(fleet.stop)
        for part in PARTS:
            fleet.add(part)
        await fleet.ready()
        inside = await stack.enter_async_context(listening(porch(fleet), HOST, 0))
        address = await stack.enter_async_context(
            door(HOST, port, lambda path: backends(fleet, path) or [inside])
        )
        house = await stack.enter_async_context(observer(environment))
        yield FleetWorld(folder, address, settings, house, cluster, fleet)


def backends(fleet: Fleet, path: str) -> list[str]:
    """Return the addresses of the processes that answer `path`; none for what the porch answers."""
    for part in PARTS:
        if part.answers and path.startswith((f"/{part.service}/", *part.public)):
            return [child.address for child in fleet.of(part.name)]
    return []


@asynccontextmanager
async def kafka_of(folder: Path, overrides: Mapping[str, str], say: Say) -> AsyncIterator[dict[str, str]]:
    """Yield how a broker that is started in `folder` is reached; nothing where `overrides` name a cluster."""
    if overrides.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield {}
        return
    async with held(partial(_open_broker, folder / "kafka", say)) as broker:
        yield {"KAFKA_BOOTSTRAP_SERVERS": broker.address}


def _open_broker(folder: Path, say: Say) -> Broker:
    left = running(Place(folder))
    if left is not None:
        left.stop()  # of a program that was killed: its guard may still be at it
    say("Starting Apache Kafka, which takes some seconds …")
    return Broker.open(folder, say=say)


@asynccontextmanager
async def observer(environment: Mapping[str, str]) -> AsyncIterator[Running]:
    """Yield the parts as a house that is never started: it can tell what waits, and takes nothing."""
    modest = {**environment, "DATABASE_CONNECTIONS_MAX": OBSERVER_CONNECTIONS_MAX}
    async with AsyncExitStack() as stack:
        services = []
        for part in PARTS:
            service = await build(part.service, settings_from(part.service, settings_of(part, modest)))
            for opened in (service.database, *service.resources):
                if isinstance(opened, Database):
                    stack.push_async_callback(opened.close)
            services.append(service)
        bus = await open_bus(settings_from(DESK.service, settings_of(DESK, modest)), services)
        stack.push_async_callback(bus.close)
        yield Running(services, bus)
