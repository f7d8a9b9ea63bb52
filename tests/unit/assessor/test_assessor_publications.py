"""What is unknown may be on its way, for a moment, where the bus cannot tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.assessor.handlers import publications
from services.assessor.handlers.publications import TRAVEL_TIME_MAX, Publications
from shared.bus.consumer import LaneLag

KEY = ("oslo", "01890000-0000-7000-8000-000000000001", 1)
OTHER = ("oslo", "01890000-0000-7000-8000-000000000001", 2)
AT = datetime(2026, 11, 22, tzinfo=UTC)
MOMENT = timedelta(milliseconds=1)


async def nothing_waits() -> int:
    return 0


def on_a_bus(whole: bool) -> Publications:
    lag = LaneLag()
    lag.bind(nothing_waits, whole)
    return Publications(lag)


def test_a_bus_that_counts_everything_leaves_no_doubt() -> None:
    assert not on_a_bus(whole=True).may_come(KEY, AT)


def test_elsewhere_what_is_asked_for_first_is_waited_for_a_moment_and_no_longer() -> None:
    asked = on_a_bus(whole=False)
    assert asked.may_come(KEY, AT)
    assert asked.may_come(KEY, AT + TRAVEL_TIME_MAX)
    assert not asked.may_come(KEY, AT + TRAVEL_TIME_MAX + MOMENT)
    assert asked.may_come(OTHER, AT + TRAVEL_TIME_MAX + MOMENT)


def test_who_asks_for_ever_new_ones_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publications, "ASKED_KEYS_MAX", 2)
    asked = on_a_bus(whole=False)
    for number in range(3):
        asked.may_come(("oslo", f"unknown-{number}", None), AT)
    late = AT + TRAVEL_TIME_MAX + MOMENT
    assert asked.may_come(("oslo", "unknown-0", None), late), "forgotten, and so asked for the first time"
    assert not asked.may_come(("oslo", "unknown-2", None), late)
