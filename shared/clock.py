"""The only source of time and of random ids; called from api, handlers and courier, never from a decision."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import uuid_utils

from shared.uuids import uuid_of


def now() -> datetime:
    """Return the present in UTC, cut to milliseconds: what documents and events can hold exactly."""
    instant = datetime.now(UTC)
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def ordered_uuid() -> UUID:
    """Return a UUIDv7 (RFC 9562 §5.7): ids of events and other things made in time order."""
    return uuid_of(str(uuid_utils.uuid7()))


def random_uuid() -> UUID:
    """Return a UUIDv4: ids that must tell nothing, such as a learner's."""
    return uuid_of(str(uuid_utils.uuid4()))


def uuid7_instant(value: UUID) -> datetime | None:
    """Return the moment a UUIDv7 was made (UTC); None for other versions and past the year 9999."""
    if value.version != 7:
        return None
    try:
        return datetime.fromtimestamp((value.int >> 80) / 1000, UTC)
    except ValueError:
        return None
