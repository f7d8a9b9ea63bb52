"""How many records wait for a group: the ends of its partitions less what it committed.

One pair of clients serves every lane of a process. They join no group, so that asking never disturbs a
member.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, OffsetAndMetadata, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    NotCoordinatorForGroupError,
    for_code,
)

from shared.bus.kafka.client import REQUEST_WAIT_S, answered, dismissed
from shared.bus.kafka.connection import RETRY_EVERY_S, Cluster, unreached

FINDING_ITS_FEET = (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)
"""What a cluster says for a moment, after its start and when a broker takes over from another."""


class Meter:
    """Measures lag on one cluster; connects when it is first asked."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._admin: AIOKafkaAdminClient | None = None
        self._reader: AIOKafkaConsumer | None = None
        self._partitions: dict[str, list[TopicPartition]] = {}
        self._connecting = asyncio.Lock()

    async def lag(self, group: str, topics: Sequence[str]) -> int:
        """Return how many records of `topics` the group has not committed. Raises Unavailable."""
        try:
            return await answered(self._measured(group, topics), REQUEST_WAIT_S)
        except (KafkaError, OSError, TimeoutError) as cause:
            raise await unreached(self._cluster, cause, "measuring lag") from cause

    async def _measured(self, group: str, topics: Sequence[str]) -> int:
        admin, reader = await self._clients()
        partitions = [each for topic in topics for each in await self._partitions_of(admin, topic)]
        committed = await _committed(admin, group)
        ends = await reader.end_offsets(partitions)
        return sum(
            max(0, ends[each] - (max(0, committed[each].offset) if each in committed else 0))
            for each in partitions
        )

    async def _clients(self) -> tuple[AIOKafkaAdminClient, AIOKafkaConsumer]:
        async with self._connecting:
            if self._admin is None:
                admin = AIOKafkaAdminClient(**self._cluster.client_settings("meter"))
                try:
                    await admin.start()
                except BaseException:
                    await dismissed(admin.close())
                    raise
                self._admin = admin
            if self._reader is None:
                reader = AIOKafkaConsumer(**self._cluster.client_settings("meter"), enable_auto_commit=False)
                try:
                    await reader.start()
                except BaseException:
                    await dismissed(reader.stop())
                    raise
                self._reader = reader
            return self._admin, self._reader

    async def _partitions_of(self, admin: AIOKafkaAdminClient, topic: str) -> list[TopicPartition]:
        if topic not in self._partitions:
            [told] = await admin.describe_topics([topic])
            if told["error_code"]:
                raise for_code(told["error_code"])()
            self._partitions[topic] = [
                TopicPartition(topic, each["partition"]) for each in told["partitions"]
            ]
        return self._partitions[topic]

    async def close(self) -> None:
        """Let go of the connections."""
        if self._admin is not None:
            await dismissed(self._admin.close())
        if self._reader is not None:
            await dismissed(self._reader.stop())


async def _committed(admin: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, OffsetAndMetadata]:
    while True:
        try:
            committed: dict[TopicPartition, OffsetAndMetadata] = await admin.list_consumer_group_offsets(
                group
            )
        except FINDING_ITS_FEET:
            await asyncio.sleep(RETRY_EVERY_S)
        else:
            return committed
