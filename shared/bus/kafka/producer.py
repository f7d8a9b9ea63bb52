"""Sends records in batches, one for each partition, and tells when a broker has them.

Acknowledged means written by every in-sync replica. The client numbers batches, so that its own retries
neither double nor reorder; it retries for as long as it lives, so an outage shows as futures that do not
complete. Whoever may not wait any longer abandons the producer, which ends the retries too.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from shared.bus import codec
from shared.bus.agreement import Tails
from shared.bus.kafka.client import CLOSE_WAIT_S, REQUEST_WAIT_S, answered, dismissed
from shared.bus.kafka.connection import Cluster, away, translated, unreached
from shared.bus.kafka.tails import tails
from shared.bus.seam import Record
from shared.contracts.event import Topic

BATCH_BYTES_MAX = 512 * 1024


class KafkaProducer:
    """A producer for one relay; connects when it first sends."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster = cluster
        self._name = name
        self._client: AIOKafkaProducer | None = None

    async def send(self, records: Sequence[Record]) -> list[asyncio.Future[Any]]:
        """Hand records over, those of a key in their order; each future ends when a batch is acknowledged.

        A second call before the futures of the first have ended could overtake it: wait for them. Raises
        Unavailable, then nothing or part of it may have been sent.
        """
        client = self._client or await self._connect()
        try:
            return await answered(self._handed_over(client, records), REQUEST_WAIT_S)
        except (KafkaError, TimeoutError) as cause:
            raise away(cause, "sending") from cause

    async def _handed_over(
        self, client: AIOKafkaProducer, records: Sequence[Record]
    ) -> list[asyncio.Future[Any]]:
        return [
            await client.send_batch(batch, topic, partition=partition)
            for (topic, partition), batches in (await self._batches(client, records)).items()
            for batch in batches
        ]

    async def tails(self, topics: Sequence[Topic]) -> Tails:
        """Return what `topics` end with. Raises Unavailable."""
        return await tails(self._cluster, topics)

    async def _connect(self) -> AIOKafkaProducer:
        client = AIOKafkaProducer(
            **self._cluster.client_settings(self._name),
            acks="all",
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES_MAX,
        )
        try:
            await answered(client.start(), REQUEST_WAIT_S)
        except (KafkaError, OSError, TimeoutError) as cause:
            await _stop(client)
            raise await unreached(self._cluster, cause, "connecting") from cause
        self._client = client
        return client

    async def _batches(
        self, client: AIOKafkaProducer, records: Sequence[Record]
    ) -> dict[tuple[str, int], list[Any]]:
        partitions: dict[str, int] = {}
        made: dict[tuple[str, int], list[Any]] = defaultdict(list)
        for record in records:
            topic = self._cluster.topic(record.topic)
            if topic not in partitions:
                partitions[topic] = len(await client.partitions_for(topic))
            key = record.key.encode()
            batches = made[topic, zlib.crc32(key) % partitions[topic]]
            message = {
                "key": key,
                "value": record.value,
                "timestamp": None,
                "headers": codec.wire_headers(record),
            }
            if not batches or batches[-1].append(**message) is None:
                batches.append(client.create_batch())
                batches[-1].append(**message)
        return made

    @staticmethod
    def refusal(cause: BaseException) -> Exception:
        """Return what the error of a future of `send` means: Unavailable or BrokenError."""
        if isinstance(cause, Exception):
            return translated(cause, "publishing")
        return away(ConnectionError(), "publishing")

    async def close(self) -> None:
        """Let go of the connections, giving up what was not acknowledged."""
        client, self._client = self._client, None
        if client is not None:
            await _stop(client)


async def _stop(client: AIOKafkaProducer) -> None:
    """End the client where no broker answers, too: by itself it would wait for its own retries for ever."""
    sender = client._sender.sender_task
    if sender is not None:
        sender.cancel()
        await asyncio.wait([sender], timeout=CLOSE_WAIT_S)
        client._message_accumulator._batches.clear()
    await dismissed(client.stop())
