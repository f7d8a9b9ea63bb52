"""Who caused an event: the record that a lane took."""

from __future__ import annotations

from shared.eventstore import Meta, Recorded


def caused_by(cause: Recorded, lane: str) -> Meta:
    """The Meta of what `lane` appends because of `cause`: same correlation, same trace."""
    return Meta(f"consumer:{lane}", cause.meta.correlation, cause.id, cause.meta.traceparent)
