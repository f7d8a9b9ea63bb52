"""A lane counts as behind unless it is known to have taken everything."""

from __future__ import annotations

from shared.bus.consumer import LaneLag
from shared.errors import Unavailable


async def nothing_waits() -> int:
    return 0


async def one_waits() -> int:
    return 1


async def nobody_can_tell() -> int:
    raise Unavailable("The log of issuer is not there yet.")


async def test_a_lane_lags_until_it_is_known_to_have_taken_everything() -> None:
    lag = LaneLag()
    assert await lag.lags()
    for waiting, lags in ((nothing_waits, False), (one_waits, True), (nobody_can_tell, True)):
        lag.bind(waiting)
        assert await lag.lags() is lags
