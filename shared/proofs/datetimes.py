"""XML Schema dateTimeStamp, the one form of a moment in credentials and proofs.

Refuses a moment without a time zone: it would be another moment for every reader.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_DATE_TIME_STAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]{1,9})?"
    r"(Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)"
)


def parse(text: str) -> datetime | None:
    """The moment in UTC, or None if `text` is not a dateTimeStamp of the years 1 to 9999.

    A fraction is read to the microsecond. 24:00:00, which XML Schema allows, is the next midnight.
    """
    match = _DATE_TIME_STAMP.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    microsecond = int((match[7] or ".")[1:7].ljust(6, "0"))
    end_of_day = hour == 24 and minute == second == microsecond == 0
    try:
        local = datetime(year, month, day, 0 if end_of_day else hour, minute, second, microsecond, UTC)
        return local + timedelta(days=int(end_of_day)) - _offset(match[8])
    except (ValueError, OverflowError):
        return None


def _offset(zone: str) -> timedelta:
    if zone == "Z":
        return timedelta(0)
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    return -offset if zone[0] == "-" else offset
