"""Events as CloudEvents 1.0 in binary mode: attributes in headers, the event's JSON as the value.

Headers follow the Kafka protocol binding (`ce_…`, §3.2.3). Extension attributes: `ce_issuer` (the tenant),
`ce_sequence` (the version in its stream), `ce_actor`, `ce_correlation`, `ce_causation`; and `traceparent`.
The tenant is also part of the key; a record in which the two differ is refused.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from shared.bus.seam import Record
from shared.contracts import registry
from shared.contracts.event import Topic
from shared.errors import Invalid
from shared.eventstore import Meta, Recorded

CONTENT_TYPE = "application/json"


def headers_of(
    event_type: str,
    event_id: UUID,
    at: datetime,
    issuer_id: str,
    stream: str,
    version: int,
    topic: Topic,
    meta: Meta,
) -> dict[str, str]:
    """Return the headers of an event's record."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(event_id),
        "ce_type": event_type,
        "ce_source": f"/{topic.producer}",
        "ce_subject": stream,
        "ce_time": at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "ce_issuer": issuer_id,
        "ce_sequence": str(version),
        "ce_actor": meta.actor,
        "ce_correlation": meta.correlation,
        "content-type": CONTENT_TYPE,
    }
    if meta.causation is not None:
        headers["ce_causation"] = str(meta.causation)
    if meta.traceparent is not None:
        headers["traceparent"] = meta.traceparent
    return headers


def event_type(record: Record) -> str:
    """Return the type that the record claims; '' if it claims none."""
    return record.headers.get("ce_type", "")


def decode(record: Record) -> Recorded:
    """Read a record back. `position` of the result is the record's offset.

    Raises Invalid('record-unreadable') when an attribute is missing or malformed and
    Invalid('event-unreadable') when the value does not fit its type.
    """
    headers = record.headers
    try:
        causation = headers.get("ce_causation")
        meta = Meta(
            headers["ce_actor"],
            headers["ce_correlation"],
            UUID(causation) if causation else None,
            headers.get("traceparent"),
        )
        issuer_id, stream = headers["ce_issuer"], headers["ce_subject"]
        event_id, version = UUID(headers["ce_id"]), int(headers["ce_sequence"])
        at = datetime.fromisoformat(headers["ce_time"])
    except KeyError as missing:
        raise Invalid("record-unreadable", f"The record lacks the header {missing}.") from None
    except ValueError:
        raise Invalid("record-unreadable", "A header of the record is malformed.") from None
    if record.key != f"{issuer_id}/{stream}":
        raise Invalid("record-unreadable", "The record's key and its tenant and stream differ.")
    event = registry.decode(headers["ce_type"], record.value)
    if event.stream != stream or event.TOPIC.name != record.topic:
        raise Invalid("record-unreadable", "The event does not belong to the record's topic and stream.")
    return Recorded(record.offset, event_id, issuer_id, stream, version, at, event, meta)
