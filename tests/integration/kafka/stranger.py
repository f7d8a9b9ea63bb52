"""A client of Kafka that shares no line with ours: confluent-kafka, on librdkafka."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from shared.bus.kafka import Cluster
from shared.contracts.event import Topic

READ_WAIT_S = 30.0


@dataclass(frozen=True)
class Read:
    """A record as the stranger reads it."""

    topic: str
    partition: int
    key: str
    headers: dict[str, str]
    value: bytes


class Stranger:
    """Reads everything on a topic, and writes whatever it likes."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def reads(self, topic: Topic) -> list[Read]:
        """Return what is on the topic now, those of a key in their order."""
        return await asyncio.to_thread(self._read, self._cluster.topic(topic.name))

    async def writes(self, topic: Topic, key: bytes | None, value: bytes | None, **headers: bytes) -> None:
        """Put one record on the topic."""

        def write() -> None:
            producer = Producer({"bootstrap.servers": self._cluster.bootstrap_servers})
            name = self._cluster.topic(topic.name)
            producer.produce(name, key=key, value=value, headers=list(headers.items()))
            assert producer.flush(READ_WAIT_S) == 0

        await asyncio.to_thread(write)

    def _read(self, topic: str) -> list[Read]:
        consumer = Consumer(
            {
                "bootstrap.servers": self._cluster.bootstrap_servers,
                "group.id": f"stranger.{topic}",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
            }
        )
        try:
            partitions = consumer.list_topics(topic, READ_WAIT_S).topics[topic].partitions
            ends = {number: _end(consumer, TopicPartition(topic, number)) for number in partitions}
            consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
            found: list[Read] = []
            while len(found) < sum(ends.values()):
                message = consumer.poll(READ_WAIT_S)
                assert message is not None, "fewer records than the topic said it has"
                assert message.error() is None
                found.append(_read(message))
            return found
        finally:
            consumer.close()


def _end(consumer: Consumer, partition: TopicPartition) -> int:
    """How many records there are. A broker may list a partition a moment before it leads it."""
    deadline = time.monotonic() + READ_WAIT_S
    while True:
        try:
            end: int = consumer.get_watermark_offsets(partition, READ_WAIT_S)[1]
        except KafkaException as refusal:
            if time.monotonic() > deadline or refusal.args[0].code() != KafkaError.NOT_LEADER_FOR_PARTITION:
                raise
        else:
            return end


def _read(message: Message) -> Read:
    headers = {name: value.decode() for name, value in message.headers() or []}
    key, value = message.key() or b"", message.value() or b""
    return Read(message.topic(), message.partition(), key.decode(), headers, value)
