"""What a topic ends with: the last record of each partition, read without joining a group."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError, for_code

from shared.bus.kafka.client import REQUEST_WAIT_S, answered, dismissed
from shared.bus.kafka.connection import Cluster, unreached
from shared.contracts.event import Topic

POLL_WAIT_MS = 1_000


async def tails(cluster: Cluster, topics: Sequence[Topic]) -> dict[str, list[UUID]]:
    """Return the event ids at the ends of `topics`, by topic; partitions without records have none.

    So have topics that are not there. What a stranger wrote there is not an end. Raises Unavailable.
    """
    try:
        by_name = {cluster.topic(topic.name): topic for topic in topics}
        return await answered(_read(cluster, by_name), REQUEST_WAIT_S)
    except (KafkaError, OSError, TimeoutError) as cause:
        raise await unreached(cluster, cause, "looking at the ends of topics") from cause


async def _read(cluster: Cluster, topics: Mapping[str, Topic]) -> dict[str, list[UUID]]:
    admin = AIOKafkaAdminClient(**cluster.client_settings("tails"))
    reader = AIOKafkaConsumer(**cluster.client_settings("tails"), enable_auto_commit=False)
    try:
        await admin.start()
        await reader.start()
        told = await admin.describe_topics(list(topics))
        if denied := [
            each["topic"] for each in told if for_code(each["error_code"]) is TopicAuthorizationFailedError
        ]:
            raise TopicAuthorizationFailedError(denied)
        partitions = [
            TopicPartition(each["topic"], one["partition"]) for each in told for one in each["partitions"]
        ]
        found: dict[str, list[UUID]] = {topic.name: [] for topic in topics.values()}
        for partition, headers in (await _last_headers(reader, partitions)).items():
            topic = topics[partition.topic]
            if headers.get("ce_source") == f"/{topic.producer}".encode():
                with contextlib.suppress(ValueError):
                    found[topic.name].append(UUID(headers.get("ce_id", b"").decode("latin-1")))
        return found
    finally:
        await dismissed(reader.stop())
        await dismissed(admin.close())


async def _last_headers(
    reader: AIOKafkaConsumer, partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, dict[str, bytes]]:
    """Return the headers of the last record of each partition that has any."""
    found: dict[TopicPartition, dict[str, bytes]] = {}
    if not partitions:
        return found
    ends, begins = await reader.end_offsets(partitions), await reader.beginning_offsets(partitions)
    waited_for = [each for each in partitions if ends[each] > begins[each]]
    reader.assign(waited_for)
    for each in waited_for:
        reader.seek(each, ends[each] - 1)
    while len(found) < len(waited_for):
        for each, messages in (await reader.getmany(timeout_ms=POLL_WAIT_MS)).items():
            found.setdefault(each, dict(messages[0].headers))
    return found
