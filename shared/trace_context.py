"""W3C Trace Context: the trace that a request belongs to, handed on by every event that follows from it.

A valid `traceparent` of a caller is forwarded as it came, which the Recommendation allows to whoever records
no spans of its own (§3.4); without one a trace is begun. The service records no spans: the trace id stands in
logs and events, so that a caller's own tracing system finds what became of a request.
"""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar

TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""§3.2.2: version ff and ids of zeros alone are invalid."""
TRACE_ID_BYTES = 16
PARENT_ID_BYTES = 8

current: ContextVar[str | None] = ContextVar("traceparent", default=None)
"""The traceparent of the request in hand."""


def entered(given: str) -> str:
    """Return a request's traceparent: `given` where it is valid, else that of a new trace, not sampled."""
    if TRACEPARENT.fullmatch(given):
        return given
    return f"00-{secrets.token_hex(TRACE_ID_BYTES)}-{secrets.token_hex(PARENT_ID_BYTES)}-00"


def trace_id(traceparent: str | None) -> str | None:
    """Return the trace's id, for a log line."""
    found = TRACEPARENT.fullmatch(traceparent or "")
    return found.group(1) if found else None
