"""A client that is not ours finds valid CloudEvents on our topics, as the AsyncAPI document says."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema_rs
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat

from shared.bus.kafka import Cluster, topics
from shared.bus.kafka.producer import KafkaProducer
from shared.bus.relay import Relay
from shared.contracts.registry import PUBLISHED
from shared.contracts.topics import TOPICS
from shared.database import Database
from shared.eventstore import Append, Meta
from tests.contract.bus.buses import ONE_BROKER
from tests.contract.event_samples import SAMPLES
from tests.integration.kafka.stranger import Read, Stranger
from tests.integration.kafka.test_relay import published, working

pytestmark = pytest.mark.kafka

DOCUMENT: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "docs" / "asyncapi.json").read_text("utf-8")
)
CAUSE = UUID("01957c3e-2f00-7000-8000-00000000000c")
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
METAS = (Meta("operator:cli", "c-1"), Meta("consumer:issuer.issue", "c-2", CAUSE, TRACE))


def accepts(schema: dict[str, Any], value: Any) -> None:
    """Hold `value` against a schema of the document; raises what is wrong with it."""
    whole = {"components": DOCUMENT["components"], **schema}
    jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(value)


@pytest.fixture
async def read(producer: Database, cluster: Cluster, stranger: Stranger) -> list[Read]:
    """What the stranger reads after every sample was told, with and without a cause."""
    await topics.create(cluster, TOPICS, ONE_BROKER)
    told: list[Append] = []
    for number, meta in enumerate(METAS):
        versions: Counter[str] = Counter()
        for sample in SAMPLES:
            told.append(Append(f"tenant-{number}", sample.stream, versions[sample.stream], (sample,), meta))
            versions[sample.stream] += 1
    async with producer.session() as session:
        await session.append(told)
    relay = Relay("samples", producer, KafkaProducer(cluster, "samples"))
    async with working(relay):
        await published(relay)
    found = [record for topic in TOPICS for record in await stranger.reads(topic)]
    await topics.delete(cluster, [topic for topic in TOPICS if topic.name not in ("assessments", "learners")])
    return found


async def test_every_record_is_a_cloudevent_to_the_sdk_of_its_makers(read: list[Read]) -> None:
    assert {record.headers["ce_type"] for record in read} == {event.TYPE for event in PUBLISHED}
    for record in read:
        headers = {name: value.encode() for name, value in record.headers.items()}
        event = from_binary(KafkaMessage(headers, record.key, record.value), JSONFormat())
        assert event.get_specversion() == "1.0"
        assert event.get_type() == record.headers["ce_type"]
        assert event.get_datacontenttype() == "application/json"
        assert event.get_data() == json.loads(record.value)


async def test_every_record_is_as_the_asyncapi_document_says(read: list[Read], cluster: Cluster) -> None:
    messages = DOCUMENT["components"]["messages"]
    for record in read:
        message = messages[record.headers["ce_type"]]
        accepts(message["headers"], record.headers)
        accepts(message["payload"], json.loads(record.value))
        assert re.search(message["bindings"]["kafka"]["key"]["pattern"], record.key)
        channel = DOCUMENT["channels"][record.topic.removeprefix(cluster.prefix)]
        assert message["name"] in channel["messages"]


async def test_the_document_is_not_content_with_less(read: list[Read]) -> None:
    message = DOCUMENT["components"]["messages"][read[0].headers["ce_type"]]
    for name in ("ce_id", "ce_source", "ce_time", "ce_issuer", "content-type"):
        with pytest.raises(jsonschema_rs.ValidationError):
            accepts(message["headers"], {key: value for key, value in read[0].headers.items() if key != name})
    with pytest.raises(jsonschema_rs.ValidationError):
        accepts(message["payload"], {})


async def test_what_caused_an_event_and_its_trace_travel_with_it(read: list[Read]) -> None:
    caused = [record.headers for record in read if record.key.startswith("tenant-1/")]
    assert len(caused) == len(read) / 2
    assert all(headers["ce_causation"] == str(CAUSE) for headers in caused)
    assert all(headers["traceparent"] == TRACE for headers in caused)
