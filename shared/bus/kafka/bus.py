"""The bus of a cluster: hands out members of groups, and the relays that bring a log onto its topics."""

from __future__ import annotations

from collections.abc import Sequence

from shared.bus.kafka.connection import Cluster
from shared.bus.kafka.meter import Meter
from shared.bus.kafka.producer import KafkaProducer
from shared.bus.kafka.source import KafkaSource
from shared.bus.relay import Relay
from shared.contracts.event import PublishedEvent
from shared.contracts.topics import TOPICS
from shared.database import Database


class KafkaBus:
    """A Bus on one cluster."""

    name = "kafka"

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._meter = Meter(cluster)

    def source(
        self, consumer: str, events: Sequence[type[PublishedEvent]], database: Database
    ) -> KafkaSource:
        """Return a member of the group of `consumer`, which keeps its fences in `database`."""
        return KafkaSource(consumer, events, database, self._cluster, self._meter)

    def relay(self, producer: str, database: Database) -> Relay | None:
        """Return the relay of a service that has topics, whose log is in `database`; None for any other."""
        if not any(topic.producer == producer for topic in TOPICS):
            return None
        name = f"{producer}.relay"
        return Relay(name, database, KafkaProducer(self._cluster, name))

    async def close(self) -> None:
        """Let go of the connections that its sources share."""
        await self._meter.close()
