"""Whether an achievement that is not known here may be on its way: refused for now, or for good?

On a bus whose lag counts all that was committed the lane's lag is the answer. A broker knows nothing of what
its producer has not brought yet: there, what is asked for the first time is waited for a moment, since its
publication may have been answered before it travelled.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta

from services.assessor.store import AchievementKey
from shared.bus.consumer import LaneLag

TRAVEL_TIME_MAX = timedelta(seconds=10)
ASKED_KEYS_MAX = 10_000
"""Unknown achievements that are remembered; the one asked for longest ago is forgotten first."""


class Publications:
    """Knows how far the lane is that keeps achievements, and since when what is unknown was asked for."""

    def __init__(self, lag: LaneLag) -> None:
        self._lag = lag
        self._asked: OrderedDict[AchievementKey, datetime] = OrderedDict()

    async def wait(self) -> bool:
        """Tell whether publications wait that are not kept here yet."""
        return await self._lag.lags()

    def may_come(self, key: AchievementKey, at: datetime) -> bool:
        """Tell whether the publication of `key`, unknown at `at`, may not have reached the bus yet."""
        if self._lag.whole:
            return False
        asked_at = self._asked.setdefault(key, at)
        if len(self._asked) > ASKED_KEYS_MAX:
            self._asked.popitem(last=False)
        return at - asked_at <= TRAVEL_TIME_MAX
