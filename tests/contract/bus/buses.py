"""What the conformance suite must know of each bus, beyond the seam: how to open it and how to provoke it.

A new bus joins the suite with a class here and its name in KINDS.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

import shared.bus.kafka.source
import shared.bus.local
from shared.bus.kafka import Cluster, KafkaBus
from shared.bus.kafka import topics as kafka_topics
from shared.bus.local import LocalBus
from shared.bus.seam import Bus
from shared.contracts.topics import ASSESSMENTS
from shared.database import Database

SHORT_LEASE_S = 1.0
ONE_BROKER = kafka_topics.Durability(replication_factor=1, min_insync_replicas=1)
PREFIX = "prefix"
"""Beside the addresses: what the names of this test's topics and groups begin with."""


class Kind(Protocol):
    """A bus, and what only its own kind knows of it."""

    shares_work: bool
    """Whether members work side by side; else the second one stands by."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        """Take the addresses of the database's roles and, where there is one, of the broker."""

    def made(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Make what has to be there before the bus is opened; it goes after the test."""

    async def open(self) -> Bus:
        """Return the bus as a process of its own would open it."""

    async def deliver_again(self, own: Database, consumer: str) -> None:
        """Make the bus forget how far `consumer` has come; no member may be running."""

    @staticmethod
    def shorten_leases() -> None:
        """Let a member that is silent for SHORT_LEASE_S lose its place. For the life of the process."""


class LocalKind:
    """The bus that reads the producers' event tables."""

    shares_work = False

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = addresses

    @contextlib.asynccontextmanager
    async def made(self) -> AsyncIterator[None]:
        yield

    async def open(self) -> Bus:
        return LocalBus(await Database.open(self._addresses["bus_reader"], "bus_reader"))

    async def deliver_again(self, own: Database, consumer: str) -> None:
        async with own.connection() as connection:
            await connection.execute("UPDATE cursor SET position = 0 WHERE starts_with(name, $1)", consumer)

    @staticmethod
    def shorten_leases() -> None:
        shared.bus.local.LEASE_S = SHORT_LEASE_S


class KafkaKind:
    """The bus on a real Apache Kafka."""

    shares_work = True

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._cluster = Cluster(addresses["kafka"], addresses[PREFIX])

    @contextlib.asynccontextmanager
    async def made(self) -> AsyncIterator[None]:
        await kafka_topics.create(self._cluster, [ASSESSMENTS], ONE_BROKER)
        yield
        await kafka_topics.delete(self._cluster, [ASSESSMENTS])

    async def open(self) -> Bus:
        return KafkaBus(self._cluster)

    async def deliver_again(self, own: Database, consumer: str) -> None:
        name = self._cluster.topic(ASSESSMENTS.name)
        partitions = [TopicPartition(name, number) for number in range(ASSESSMENTS.partitions)]
        operator = AIOKafkaConsumer(
            bootstrap_servers=self._cluster.bootstrap_servers,
            group_id=self._cluster.group(consumer),
            enable_auto_commit=False,
        )
        operator.assign(partitions)
        await operator.start()
        await operator.commit(dict.fromkeys(partitions, 0))
        await operator.stop()

    @staticmethod
    def shorten_leases() -> None:
        shared.bus.kafka.source.SESSION_WAIT_S = SHORT_LEASE_S


KINDS: dict[str, type[Kind]] = {"local": LocalKind, "kafka": KafkaKind}
