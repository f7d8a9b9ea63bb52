"""Turns settings of services into running services, on the bus that the settings choose."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from services import SERVICES
from shared.bus.kafka import Cluster, KafkaBus, topics
from shared.bus.local import LocalBus
from shared.bus.seam import Bus
from shared.contracts.topics import TOPICS
from shared.database import Database
from shared.service import Running, Service, running
from shared.settings import KafkaSettings, Settings

LOG_READER = "bus_reader"


async def build(name: str, settings: Settings, **replacements: Any) -> Service:
    """Build service `name`; `replacements` reach its `build` unchanged (a bench puts in another suite)."""
    module = importlib.import_module(f"{SERVICES[name]}.service")
    service: Service = await module.build(settings, **replacements)
    return service


@asynccontextmanager
async def built_services(
    settings: Mapping[str, Settings], replacements: Mapping[str, Mapping[str, Any]] | None = None
) -> AsyncIterator[list[Service]]:
    """Build the services of `settings`; what databases they opened are closed when the block ends."""
    async with AsyncExitStack() as stack:
        built: list[Service] = []
        for name, own in settings.items():
            service = await build(name, own, **(replacements or {}).get(name, {}))
            for opened in (service.database, *service.resources):
                if isinstance(opened, Database):
                    stack.push_async_callback(opened.close)
            built.append(service)
        yield built


@asynccontextmanager
async def running_services(
    settings: Mapping[str, Settings], replacements: Mapping[str, Mapping[str, Any]] | None = None
) -> AsyncIterator[Running]:
    """Build the services named in `settings` and run them on their bus until the block ends."""
    async with AsyncExitStack() as stack:
        built = await stack.enter_async_context(built_services(settings, replacements))
        bus = await open_bus(next(iter(settings.values())), built)
        yield await stack.enter_async_context(running(built, bus))


async def open_bus(settings: Settings, services: Sequence[Service]) -> Bus:
    """Return the bus that `settings` choose, for `services`. The only place where it is chosen."""
    if settings.bus == "kafka":
        return KafkaBus(cluster_of(settings))
    log = await Database.open(settings.log_dsn, LOG_READER, connections_max=log_connections(services))
    return LocalBus(log)


def cluster_of(settings: KafkaSettings) -> Cluster:
    """Return how the Kafka of `settings` is reached."""
    password = settings.kafka_password
    return Cluster(
        settings.kafka_bootstrap_servers,
        settings.kafka_prefix,
        settings.kafka_security_protocol,
        settings.kafka_sasl_mechanism,
        settings.kafka_user,
        password.get_secret_value() if password is not None else None,
        settings.kafka_ca_file,
    )


async def make_development_topics(settings: KafkaSettings) -> None:
    """Make the topics that are missing, each on one broker alone; deploy/topics.py is for production."""
    durability = topics.Durability(replication_factor=1, min_insync_replicas=1)
    await topics.create(cluster_of(settings), TOPICS, durability)


def log_connections(services: Sequence[Service]) -> int:
    """Return how many connections the bus may hold: one for each two lanes, since most of them wait."""
    lanes = sum(len(service.subscriptions) for service in services)
    return max(2, lanes // 2)
