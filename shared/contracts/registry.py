"""The closed list of event types, and how bytes become events again.

A stored type that was superseded is lifted by its upcast (old JSON object → new JSON object) before it is
parsed, so that the rest of the code knows the newest class alone; whoever asks for a class is given every
type that is read as it. A type that is not in the list is unknown: a consumer ignores it, the log's own
reader refuses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pydantic
import pydantic_core

from shared.contracts.achievements import AchievementPublished
from shared.contracts.assessments import AssessmentFailed, AssessmentPassed, AssessmentSubmitted
from shared.contracts.credentials import CredentialIssued, CredentialRevoked, CredentialSigned
from shared.contracts.event import Event, KeptEvent, PublishedEvent
from shared.contracts.issuers import (
    ApiKeyCreated,
    ApiKeyRevoked,
    IssuerKeyPublished,
    IssuerKeyRetired,
    IssuerPublished,
)
from shared.contracts.learners import LearnerErased
from shared.contracts.notifications import NotificationGaveUp, NotificationRequested, NotificationSent
from shared.contracts.posted import (
    PostedCredentialForgotten,
    PostedCredentialIssued,
    PostedCredentialRevoked,
    PostedCredentialSigned,
)
from shared.contracts.status_lists import StatusListPublished
from shared.errors import Invalid

EVENTS: tuple[type[Event], ...] = (
    AchievementPublished,
    AssessmentSubmitted,
    AssessmentPassed,
    AssessmentFailed,
    CredentialIssued,
    CredentialSigned,
    CredentialRevoked,
    PostedCredentialIssued,
    PostedCredentialSigned,
    PostedCredentialRevoked,
    PostedCredentialForgotten,
    StatusListPublished,
    IssuerPublished,
    IssuerKeyPublished,
    IssuerKeyRetired,
    ApiKeyCreated,
    ApiKeyRevoked,
    LearnerErased,
    NotificationRequested,
    NotificationSent,
    NotificationGaveUp,
)
PUBLISHED: tuple[type[PublishedEvent], ...] = tuple(
    event for event in EVENTS if issubclass(event, PublishedEvent)
)
KEPT: tuple[type[KeptEvent], ...] = tuple(event for event in EVENTS if issubclass(event, KeptEvent))
BY_TYPE: Mapping[str, type[Event]] = {event.TYPE: event for event in EVENTS}


@dataclass(frozen=True, slots=True)
class Upcast:
    """How a superseded type is read: `lift` turns its JSON object into one of the newer type `to`."""

    to: str
    lift: Callable[[dict[str, Any]], dict[str, Any]]


UPCASTS: Mapping[str, Upcast] = {}
"""By superseded type. Pure functions of what is stored: no clock, no look-ups."""


def newest(event_type: str, upcasts: Mapping[str, Upcast] = UPCASTS) -> type[Event] | None:
    """Return the class that `event_type` is read as, or None for an unknown type."""
    while event_type in upcasts:
        event_type = upcasts[event_type].to
    return BY_TYPE.get(event_type)


def types_read_as(event: type[Event], upcasts: Mapping[str, Upcast] = UPCASTS) -> tuple[str, ...]:
    """Return every stored type that is read as `event`: its own first, then those that it superseded."""
    return (event.TYPE, *(each for each in upcasts if newest(each, upcasts) is event))


def stored_types(events: Iterable[type[Event]]) -> tuple[str, ...]:
    """Return every stored type that is read as one of `events`."""
    return tuple(stored for event in events for stored in types_read_as(event))


def encode(event: Event) -> bytes:
    """Return the event as compact JSON (UTF-8), absent optional fields left out."""
    return event.__pydantic_serializer__.to_json(event, exclude_none=True)


def decode(event_type: str, data: bytes, upcasts: Mapping[str, Upcast] = UPCASTS) -> Event:
    """Parse stored or received JSON bytes into the newest class of `event_type`.

    Raises Invalid('event-unreadable') for an unknown type or for bytes that do not fit the type's schema; the
    message names the fields, never their values.
    """
    wanted = newest(event_type, upcasts)
    if wanted is None:
        raise Invalid("event-unreadable", f"No event type is called {event_type!r}.")
    try:
        if event_type in upcasts:
            data = _lifted(event_type, data, upcasts)
        event: Event = wanted.__pydantic_validator__.validate_json(data)
    except pydantic.ValidationError as refusal:
        paths = {".".join(str(part) for part in error["loc"]) or "body" for error in refusal.errors()}
        message = f"The bytes are not a {event_type}: see {', '.join(sorted(paths))}."
        raise Invalid("event-unreadable", message) from None
    except ValueError:
        raise Invalid("event-unreadable", f"The bytes of {event_type} are not JSON.") from None
    return event


def _lifted(event_type: str, data: bytes, upcasts: Mapping[str, Upcast]) -> bytes:
    fields = pydantic_core.from_json(data)
    while upcast := upcasts.get(event_type):
        fields, event_type = upcast.lift(fields), upcast.to
    return pydantic_core.to_json(fields)
