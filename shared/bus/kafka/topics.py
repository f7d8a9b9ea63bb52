"""Makes the topics of the contracts on a cluster, and says where one differs from what it has to be.

Retention is unlimited: a consumer that is added next year reads from the beginning, and a learner is
forgotten by deleting a key. The number of partitions never changes once there are records: a key would go
to another partition, and its later facts could be read before its earlier ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from shared.bus.kafka.client import REQUEST_WAIT_S, dismissed
from shared.bus.kafka.connection import Cluster, unreached
from shared.contracts.event import Topic
from shared.errors import Unavailable

RECORD_BYTES_MAX = 1024 * 1024
VISIBLE_WAIT_S = 30.0
VISIBLE_LOOK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Durability:
    """How many brokers hold each record, and how many must have it before it counts as written."""

    replication_factor: int = 3
    min_insync_replicas: int = 2

    @property
    def configuration(self) -> dict[str, str]:
        """The settings of every topic."""
        return {
            "cleanup.policy": "delete",
            "retention.ms": "-1",
            "retention.bytes": "-1",
            "max.message.bytes": str(RECORD_BYTES_MAX + 1024),
            "min.insync.replicas": str(self.min_insync_replicas),
            "unclean.leader.election.enable": "false",
        }


async def create(cluster: Cluster, topics: Sequence[Topic], durability: Durability) -> list[str]:
    """Make those of `topics` that are missing; return their names, once every broker asked knows them.

    Raises Unavailable, also where the cluster refuses: its sentence says why.
    """
    async with _admin(cluster) as admin:
        there = set(await admin.list_topics())
        missing = [topic for topic in topics if cluster.topic(topic.name) not in there]
        if missing:
            answer = await admin.create_topics(
                [
                    NewTopic(
                        cluster.topic(topic.name),
                        topic.partitions,
                        durability.replication_factor,
                        topic_configs=durability.configuration,
                    )
                    for topic in missing
                ]
            )
            for name, code, message in answer.topic_errors:
                if code and for_code(code) is not TopicAlreadyExistsError:
                    why = (message or for_code(code).__name__).rstrip(".")
                    raise Unavailable(f"The cluster refused to make {name}: {why}.")
            await _visible(admin, [cluster.topic(topic.name) for topic in missing])
        return [topic.name for topic in missing]


async def differences(cluster: Cluster, topics: Sequence[Topic], durability: Durability) -> list[str]:
    """Return a sentence for each thing that is not as it has to be. Raises Unavailable."""
    found: list[str] = []
    async with _admin(cluster) as admin:
        told = {each["topic"]: each for each in await admin.describe_topics()}
        present = [topic for topic in topics if cluster.topic(topic.name) in told]
        found += [f"{topic.name}: is not there" for topic in topics if topic not in present]
        settings = await _settings(admin, [cluster.topic(topic.name) for topic in present])
        for topic in present:
            name = cluster.topic(topic.name)
            partitions = told[name]["partitions"]
            if len(partitions) != topic.partitions:
                found.append(f"{topic.name}: has {len(partitions)} partitions instead of {topic.partitions}")
            replicas = min(len(partition["replicas"]) for partition in partitions)
            if replicas != durability.replication_factor:
                found.append(
                    f"{topic.name}: has {replicas} replicas instead of {durability.replication_factor}"
                )
            for setting, wanted in durability.configuration.items():
                if settings[name].get(setting) != wanted:
                    found.append(
                        f"{topic.name}: {setting} is {settings[name].get(setting)} instead of {wanted}"
                    )
    return found


async def delete(cluster: Cluster, topics: Sequence[Topic]) -> None:
    """Remove topics with everything on them: for tests, and for whoever starts over. Raises Unavailable."""
    async with _admin(cluster) as admin:
        await admin.delete_topics([cluster.topic(topic.name) for topic in topics])


async def _visible(admin: AIOKafkaAdminClient, names: Sequence[str]) -> None:
    async with asyncio.timeout(VISIBLE_WAIT_S):
        while True:
            told = await admin.describe_topics(list(names))
            if not any(each["error_code"] or not each["partitions"] for each in told):
                return
            await asyncio.sleep(VISIBLE_LOOK_EVERY_S)


async def _settings(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The settings of each topic, by name."""
    if not names:
        return {}
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    settings: dict[str, dict[str, Any]] = {}
    for answer in answers:
        for code, _, _, name, entries in answer.resources:
            if code:
                raise for_code(code)()
            settings[name] = {entry[0]: entry[1] for entry in entries}
    return settings


@asynccontextmanager
async def _admin(cluster: Cluster) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**cluster.client_settings("topics"))
    try:
        async with asyncio.timeout(REQUEST_WAIT_S + VISIBLE_WAIT_S):
            await admin.start()
            yield admin
    except UnknownTopicOrPartitionError as cause:
        raise Unavailable("A topic went while it was looked at.") from cause
    except (KafkaError, OSError, TimeoutError) as cause:
        raise await unreached(cluster, cause, "looking after topics") from cause
    finally:
        await dismissed(admin.close())
