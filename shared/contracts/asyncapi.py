"""The contracts as an AsyncAPI 3.0 document: channels, messages, and who sends and receives them.

docs/asyncapi.json is made of it. It stands alone: payloads are the JSON Schemas of the event classes, with
their references pointing into the document. The topics are internal to an installation: partners are never
given them, what is theirs comes by signed webhooks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shared.contracts.event import PublishedEvent, Topic
from shared.contracts.registry import PUBLISHED
from shared.contracts.topics import TOPICS

VERSION = "2.0.0"
"""Of the contracts as a whole: a type that is added or superseded counts it up, one withdrawn by a whole."""
BINDING = "0.5.0"
HEADERS = "CloudEvent"

_TEXT = {"type": "string", "minLength": 1}


def document(lanes: Mapping[str, Sequence[type[PublishedEvent]]]) -> dict[str, Any]:
    """Return the document; `lanes` are the consumers (`{service}.{verb}`) with the events they hear."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "microcred: what the services say to each other",
            "version": VERSION,
            "description": "CloudEvents 1.0 on Apache Kafka in binary mode. Records of a key are in order;"
            " each may come more than once, and its `ce_id` says so. Personal data stands in `sealed` fields"
            " alone, encrypted under the key of the learner, or of the one credential that was posted.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": _operations(lanes),
        "components": {
            "messages": {event.TYPE: _message(event) for event in PUBLISHED},
            "schemas": {HEADERS: _headers()} | {event.TYPE: payload_schema(event) for event in PUBLISHED},
        },
    }


def payload_schema(event: type[PublishedEvent]) -> dict[str, Any]:
    """Return the JSON Schema of an event with references that hold within the document."""
    return event.model_json_schema(ref_template=f"#/components/schemas/{event.TYPE}/$defs/{{model}}")


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": topic.says[0].upper() + topic.says[1:],
        "messages": {
            event.TYPE: {"$ref": f"#/components/messages/{event.TYPE}"} for event in _on(topic, PUBLISHED)
        },
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": -1},
                "bindingVersion": BINDING,
            }
        },
    }


def _message(event: type[PublishedEvent]) -> dict[str, Any]:
    return {
        "name": event.TYPE,
        "summary": (event.__doc__ or "").strip().splitlines()[0],
        "contentType": "application/json",
        "headers": {
            "allOf": [
                {"$ref": f"#/components/schemas/{HEADERS}"},
                {"type": "object", "properties": {"ce_type": {"const": event.TYPE}}},
            ]
        },
        "payload": {"$ref": f"#/components/schemas/{event.TYPE}"},
        "correlationId": {"location": "$message.header#/ce_correlation"},
        "bindings": {
            "kafka": {
                "key": {
                    "type": "string",
                    "pattern": f"^[^/]+/{event.STREAM}-.+$",
                    "description": "`{issuer_id}/{stream}`: the tenant and the thing that this is about.",
                },
                "bindingVersion": BINDING,
            }
        },
    }


def _headers() -> dict[str, Any]:
    """The attributes of shared/bus/codec.py, as the Kafka protocol binding of CloudEvents writes them."""
    required = {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "format": "uuid", "description": "The same however often it comes."},
        "ce_type": _TEXT,
        "ce_source": {"type": "string", "pattern": "^/[a-z]+$", "description": "The service that says it."},
        "ce_subject": {**_TEXT, "description": "The stream: the thing that this is about."},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_issuer": {**_TEXT, "description": "The tenant."},
        "ce_sequence": {
            "type": "string",
            "pattern": "^[1-9][0-9]*$",
            "description": "Counts its stream from 1.",
        },
        "ce_actor": {**_TEXT, "description": "Who caused it."},
        "ce_correlation": {**_TEXT, "description": "What all that follows from one request has in common."},
        "content-type": {"const": "application/json"},
    }
    optional = {
        "ce_causation": {
            "type": "string",
            "format": "uuid",
            "description": "The event that led to this one.",
        },
        "traceparent": {"type": "string", "description": "W3C Trace Context."},
    }
    return {"type": "object", "properties": required | optional, "required": list(required)}


def _operations(lanes: Mapping[str, Sequence[type[PublishedEvent]]]) -> dict[str, Any]:
    sending = {
        f"{topic.producer}.relay.{topic.name}": _operation("send", topic, _on(topic, PUBLISHED))
        for topic in TOPICS
    }
    receiving = {
        f"{lane}.{topic.name}": _operation("receive", topic, heard)
        for lane, events in sorted(lanes.items())
        for topic in TOPICS
        if (heard := _on(topic, events))
    }
    return sending | receiving


def _operation(action: str, topic: Topic, events: Iterable[type[PublishedEvent]]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{event.TYPE}"} for event in events],
    }


def _on(topic: Topic, events: Iterable[type[PublishedEvent]]) -> list[type[PublishedEvent]]:
    return [event for event in events if event.TOPIC is topic]
