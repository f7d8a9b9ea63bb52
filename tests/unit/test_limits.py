"""Token buckets: a burst, then a rate; one caller's haste is not another's."""

from __future__ import annotations

import pytest

from shared import limits
from shared.errors import TooMany
from shared.limits import RateLimit


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def granted(limit: RateLimit, caller: str, times: int) -> int:
    """How many of `times` requests at once are granted."""
    count = 0
    for _ in range(times):
        try:
            limit.spend(caller)
        except TooMany:
            continue
        count += 1
    return count


def test_a_burst_is_granted_and_then_the_rate(clock: Clock) -> None:
    limit = RateLimit(2.0, 5, clock)
    assert granted(limit, "a", 10) == 5
    clock.now += 1.0
    assert granted(limit, "a", 10) == 2


def test_a_pause_fills_no_more_than_the_burst(clock: Clock) -> None:
    limit = RateLimit(2.0, 5, clock)
    assert granted(limit, "a", 5) == 5
    clock.now += 3_600
    assert granted(limit, "a", 10) == 5


def test_the_wait_that_is_told_is_long_enough_and_no_longer(clock: Clock) -> None:
    limit = RateLimit(0.5, 1, clock)
    limit.spend("a")
    clock.now += 0.5
    with pytest.raises(TooMany) as refusal:
        limit.spend("a")
    assert refusal.value.retry_after_s == pytest.approx(1.5)
    clock.now += refusal.value.retry_after_s
    limit.spend("a")


def test_a_refused_request_costs_nothing(clock: Clock) -> None:
    limit = RateLimit(1.0, 1, clock)
    assert granted(limit, "a", 100) == 1
    clock.now += 1.0
    limit.spend("a")


def test_callers_do_not_share_a_bucket(clock: Clock) -> None:
    limit = RateLimit(1.0, 2, clock)
    assert granted(limit, "a", 5) == 2
    assert granted(limit, "b", 5) == 2


def test_more_than_a_bucket_holds_is_granted_when_it_is_full(clock: Clock) -> None:
    limit = RateLimit(1.0, 5, clock)
    limit.spend("a", 50)
    with pytest.raises(TooMany) as refusal:
        limit.spend("a", 50)
    clock.now += refusal.value.retry_after_s
    limit.spend("a", 50)


def test_the_number_of_buckets_is_bounded_and_the_longest_silent_goes_first(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CALLERS_MAX", 3)
    limit = RateLimit(1.0, 1, clock)
    for caller in "abc":
        limit.spend(caller)
    with pytest.raises(TooMany):
        limit.spend("a")
    limit.spend("d")
    with pytest.raises(TooMany):
        limit.spend("a")
    limit.spend("b")
    assert len(limit._buckets) == 3


def test_a_demand_takes_nothing_and_is_refused_as_spending_would_be(clock: Clock) -> None:
    limit = RateLimit(0.5, 1, clock)
    for _ in range(10):
        limit.demand("a")
    limit.spend("a")
    with pytest.raises(TooMany) as refusal:
        limit.demand("a")
    assert refusal.value.retry_after_s == pytest.approx(2.0)
    limit.demand("b")
    clock.now += 2.0
    limit.demand("a")
    limit.spend("a")
