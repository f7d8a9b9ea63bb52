"""Events as CloudEvents 1.0 in binary mode: attributes in headers, the event's JSON as the value.

Headers follow the Kafka protocol binding (`ce_…`, §3.2.3). Extension attributes: `ce_issuer` (the tenant),
`ce_sequence` (the version in its stream), `ce_actor`, `ce_correlation`, `ce_causation`; and `traceparent`.
The tenant is also part of the key; a record in which the two differ is refused.

A bus that reads the log itself hands out `Attributes`: the same headers, not yet written as text. Nobody but
`decode` can tell, and it saves writing and reading a dozen strings for each record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from uuid import UUID

import asyncpg

from shared.bus.seam import Record
from shared.contracts import registry
from shared.contracts.event import PublishedEvent, Topic
from shared.errors import Invalid
from shared.eventstore import Meta, Recorded
from shared.eventstore.log import decode_meta
from shared.uuids import uuid_of

CONTENT_TYPE = "application/json"
STAMPS_KEPT_MAX = 64
"""The events of one transaction have one moment."""


@dataclass(slots=True, eq=False)
class Attributes(Mapping[str, str]):
    """What the headers of an event's record say; as a mapping, the headers."""

    event_type: str
    event_id: UUID
    at: datetime
    issuer_id: str
    stream: str
    version: int
    producer: str
    meta: Meta

    def __getitem__(self, name: str) -> str:
        return headers_of(self)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(headers_of(self))

    def __len__(self) -> int:
        return len(headers_of(self))


def headers_of(attributes: Attributes) -> dict[str, str]:
    """Return the headers of an event's record."""
    meta = attributes.meta
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(attributes.event_id),
        "ce_type": attributes.event_type,
        "ce_source": f"/{attributes.producer}",
        "ce_subject": attributes.stream,
        "ce_time": _stamp(attributes.at),
        "ce_issuer": attributes.issuer_id,
        "ce_sequence": str(attributes.version),
        "ce_actor": meta.actor,
        "ce_correlation": meta.correlation,
        "content-type": CONTENT_TYPE,
    }
    if meta.causation is not None:
        headers["ce_causation"] = str(meta.causation)
    if meta.traceparent is not None:
        headers["traceparent"] = meta.traceparent
    return headers


def wire_headers(record: Record) -> list[tuple[str, bytes]]:
    """Return the headers as they travel: UTF-8, each name once."""
    headers = record.headers
    named = headers_of(headers) if isinstance(headers, Attributes) else headers
    return [(name, text.encode()) for name, text in named.items()]


def record_of_row(row: asyncpg.Record) -> Record:
    """Return the record of a row of the log, its `offset` being the position; the bus that numbers partitions
    gives it another. The event's bytes are not looked at. Raises Invalid for a type that is on no topic.
    """
    topic = _topic_of(row["type"])
    issuer_id, stream = row["issuer_id"], row["stream"]
    attributes = Attributes(
        row["type"],
        row["id"],
        row["at"],
        issuer_id,
        stream,
        row["version"],
        topic.producer,
        decode_meta(row["meta"]),
    )
    return Record(topic.name, 0, row["position"], f"{issuer_id}/{stream}", attributes, row["data"])


@cache
def _topic_of(stored_type: str) -> Topic:
    known = registry.newest(stored_type)
    if known is None or not issubclass(known, PublishedEvent):
        raise Invalid("event-unreadable", f"No event type that is published is called {stored_type!r}.")
    return known.TOPIC


def event_type(record: Record) -> str:
    """Return the type that the record claims; '' if it claims none."""
    headers = record.headers
    return headers.event_type if isinstance(headers, Attributes) else headers.get("ce_type", "")


def decode(record: Record) -> Recorded:
    """Read a record back. `position` of the result is the record's offset.

    Raises Invalid('record-unreadable') when an attribute is missing or malformed and
    Invalid('event-unreadable') when the value does not fit its type.
    """
    headers = record.headers
    read = headers if isinstance(headers, Attributes) else attributes_of(headers)
    issuer_id, stream = read.issuer_id, read.stream
    if record.key != f"{issuer_id}/{stream}":
        raise Invalid("record-unreadable", "The record's key and its tenant and stream differ.")
    event = registry.decode(read.event_type, record.value)
    if event.stream != stream or _topic_of(read.event_type).name != record.topic:
        raise Invalid("record-unreadable", "The event does not belong to the record's topic and stream.")
    return Recorded(record.offset, read.event_id, issuer_id, stream, read.version, read.at, event, read.meta)


def attributes_of(headers: Mapping[str, str]) -> Attributes:
    """Read headers back. Raises Invalid('record-unreadable') where one is missing or malformed."""
    try:
        causation = headers.get("ce_causation")
        meta = Meta(
            headers["ce_actor"],
            headers["ce_correlation"],
            uuid_of(causation) if causation else None,
            headers.get("traceparent"),
        )
        return Attributes(
            headers["ce_type"],
            uuid_of(headers["ce_id"]),
            datetime.fromisoformat(headers["ce_time"]),
            headers["ce_issuer"],
            headers["ce_subject"],
            int(headers["ce_sequence"]),
            headers.get("ce_source", "").removeprefix("/"),
            meta,
        )
    except KeyError as missing:
        raise Invalid("record-unreadable", f"The record lacks the header {missing}.") from None
    except ValueError:
        raise Invalid("record-unreadable", "A header of the record is malformed.") from None


@lru_cache(STAMPS_KEPT_MAX)
def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
