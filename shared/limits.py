"""Token buckets: how often one caller may ask."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from shared.errors import TooMany

CALLERS_MAX = 10_000


class RateLimit:
    """One bucket per caller: `burst` tokens, refilled at `per_second`."""

    def __init__(
        self, per_second: float, burst: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def spend(self, caller: str, tokens: float = 1.0) -> None:
        """Take `tokens` from the caller's bucket. Raises TooMany with the wait until enough are there.

        More than a full bucket counts as a full one: the wait always ends.
        """
        tokens = min(tokens, self._burst)
        now = self._monotonic()
        left = self._left(caller, now)
        self._buckets.pop(caller, None)
        granted = left >= tokens
        self._buckets[caller] = (left - tokens if granted else left, now)
        if len(self._buckets) > CALLERS_MAX:
            self._buckets.popitem(last=False)
        if not granted:
            raise self._refusal(tokens, left)

    def demand(self, caller: str, tokens: float = 1.0) -> None:
        """Raise TooMany as `spend` would, but take nothing: for what is known to cost only afterwards."""
        tokens, left = min(tokens, self._burst), self._left(caller, self._monotonic())
        if left < tokens:
            raise self._refusal(tokens, left)

    def _left(self, caller: str, now: float) -> float:
        left, seen_at = self._buckets.get(caller, (self._burst, now))
        return min(self._burst, left + (now - seen_at) * self._per_second)

    def _refusal(self, tokens: float, left: float) -> TooMany:
        return TooMany("The rate limit is used up.", retry_after_s=(tokens - left) / self._per_second)
