"""Who caused what a request leads to, and in the course of what."""

from __future__ import annotations

from shared import telemetry, trace_context
from shared.access import Caller
from shared.clock import ordered_uuid
from shared.eventstore import Meta


def origin_of(caller: Caller) -> Meta:
    """Return the meta of events that `caller`'s request causes."""
    return Meta(
        caller.actor,
        telemetry.correlation.get() or str(ordered_uuid()),
        traceparent=trace_context.current.get(),
    )
