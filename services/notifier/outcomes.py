"""What became of one attempt to deliver: a value, so that domain.py can decide what follows from it.

`reason` is a stable code fit for a log line and a metric's label: it names the kind of failure and at most
the other side's status number, never an address, a name or anything the other side wrote.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Delivered:
    """The other side took it."""


@dataclass(frozen=True)
class TryLater:
    """Not now; `retry_after_s` is how long the other side asked to be left alone, where it did."""

    reason: str
    retry_after_s: int | None = None


@dataclass(frozen=True)
class GiveUp:
    """Never: no later attempt at this delivery would fare better."""

    reason: str


Outcome = Delivered | TryLater | GiveUp

ENDPOINT_GONE = GiveUp("endpoint-gone")
"""The endpoint answered 410: besides this delivery, the subscription itself is to be disabled."""
