"""XML Schema dateTimeStamp, the one form of a moment in credentials and proofs.

Refuses a moment without a time zone: it would be another moment for every reader.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_DATE_TIME_STAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([0-9]{2}):([0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?)"
    r"(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)"
)

_TEXTS_KEPT_MAX = 1_024


@lru_cache(_TEXTS_KEPT_MAX)  # the credentials of a batch are all of one moment
def parse(text: str) -> datetime | None:
    """The moment in UTC, or None if `text` is not a dateTimeStamp of the years 1 to 9999.

    A fraction is read to the microsecond. 24:00:00, which XML Schema allows, is the next midnight.
    """
    match = _DATE_TIME_STAMP.fullmatch(text)
    if match is None:
        return None
    end_of_day = match[1] == "24" and not match[2].strip("0:.")
    if end_of_day:
        text = text.replace("T24", "T00")
    try:
        return (datetime.fromisoformat(text) + timedelta(days=int(end_of_day))).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def from_seconds(seconds: float) -> datetime:
    """The moment of a NumericDate (RFC 7519 §2), seconds since 1970 began in UTC, before the year 10000."""
    return datetime.fromtimestamp(seconds, UTC)
