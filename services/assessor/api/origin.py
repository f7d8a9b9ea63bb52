"""Who caused what a request leads to, and in the course of what."""

from __future__ import annotations

import re

from starlette.requests import Request

from shared import telemetry
from shared.access import Caller
from shared.clock import ordered_uuid
from shared.eventstore import Meta

TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C Trace Context, §3.2."""


def origin_of(caller: Caller, request: Request) -> Meta:
    """Return the meta of events that `caller`'s request causes."""
    traceparent = request.headers.get("traceparent", "")
    return Meta(
        caller.actor,
        telemetry.correlation.get() or str(ordered_uuid()),
        traceparent=traceparent if TRACEPARENT.fullmatch(traceparent) else None,
    )
