"""The courier: takes deliveries that are due, has each attempted, and has every outcome written down.

Taking is a lease, so what a killed courier held comes back, and two couriers never hold the same one. An
attempt counts when it is begun. Outcomes go through a Batcher: whatever ended during one transaction is the
next. Each lane (a subscription, or one tenant's mail) has few attempts under way at once, and lanes take
turns, so that a slow endpoint or a tenant's thousand letters hold back nobody else.

A courier sends what the table says is due and nothing else: replaying events makes nothing due. Each
attempt is a task of its own; what is logged in it carries the correlation of the request that led to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from services.notifier import store
from services.notifier.carriers import Carrier
from services.notifier.domain import Attempt, Channel, used_up
from services.notifier.handlers.record import Attempted, OutcomeRecorder
from services.notifier.outcomes import GiveUp, Outcome, TryLater
from services.notifier.store import Held
from shared import telemetry
from shared.batching import Batcher
from shared.clock import random_uuid
from shared.database import Database
from shared.errors import MicrocredError, Rejected, StaleStream, Unavailable
from shared.service import Loop
from shared.telemetry import safe_traceback

POLL_EVERY_S: Final = 0.1
AWAY_WAIT_S: Final = 1.0
RECORD_AGAIN_WAIT_S: Final = 0.5
STOP_WAIT_S: Final = 10.0

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CourierLimits:
    """How many attempts at once, in all and for one lane; how long one takes, and how long it is ours."""

    in_flight_max: int
    lane_max: int
    attempt_wait_s: float
    lease_s: float


class Courier:
    """Carries the deliveries of one channel."""

    def __init__(
        self,
        channel: Channel,
        carrier: Carrier,
        database: Database,
        recorder: OutcomeRecorder,
        limits: CourierLimits,
    ) -> None:
        self._channel: Channel = channel
        self._carrier = carrier
        self._database = database
        self._recorder = recorder
        self._limits = limits
        self._holder = random_uuid()
        self._busy: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()
        self._after = ""

    @property
    def loop(self) -> Loop:
        """Return the courier as a loop of the service."""
        return Loop(f"notifier.courier.{self._channel}", self.run, self.pending, outward=True)

    async def pending(self) -> int:
        """Return how many deliveries are due now or in the hands of some courier."""
        async with self._database.connection() as connection:
            return await store.pending(connection, self._channel)

    async def run(self, stopping: asyncio.Event) -> None:
        """Carry until `stopping` is set; then finish what is under way, or leave it to its lease."""
        async with Batcher(self._recorder.record) as outcomes:
            try:
                while not stopping.is_set():
                    await self._turn(outcomes)
            finally:
                await self._finish()
                await self._carrier.rest()

    async def _turn(self, outcomes: Batcher[Attempted, None]) -> None:
        self._freed.clear()
        try:
            taken = await self._take()
        except Unavailable as away:
            logger.warning("nothing can be taken", channel=self._channel, problem=str(away))
            await asyncio.sleep(AWAY_WAIT_S)
            return
        lease_ends = time.monotonic() + self._limits.lease_s
        for held in taken:
            self._busy[held.lane] += 1
            task = asyncio.create_task(self._attempt(held, outcomes, lease_ends))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if not taken:
            if not self._tasks:
                await self._carrier.rest()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._freed.wait(), POLL_EVERY_S)

    async def _take(self) -> Sequence[Held]:
        room = self._limits.in_flight_max - self._busy.total()
        if room <= 0:
            return ()
        async with self._database.connection() as connection:
            taken = await store.take(
                connection,
                self._channel,
                self._holder,
                lane_max=self._limits.lane_max,
                busy=self._busy,
                after=self._after,
                deliveries_max=room,
                lease_s=self._limits.lease_s,
            )
        if taken:
            self._after = max((held.lane <= self._after, held.lane) for held in taken)[1]
        return taken

    async def _attempt(self, held: Held, outcomes: Batcher[Attempted, None], lease_ends: float) -> None:
        telemetry.correlation.set(held.correlation)
        try:
            attempted = Attempted(held, await self._outcome(held))
            await _record(attempted, outcomes, lease_ends)
        finally:
            self._busy[held.lane] -= 1
            if not self._busy[held.lane]:
                del self._busy[held.lane]
            self._freed.set()

    async def _outcome(self, held: Held) -> Outcome:
        refused = used_up(Attempt(held.notification_id, held.attempts, held.attempts_max, current=True))
        if refused is not None:
            return refused
        try:
            async with asyncio.timeout(self._limits.attempt_wait_s):
                return await self._carrier.carry(held)
        except TimeoutError:
            return TryLater("attempt-timed-out")
        except Rejected as rejected:
            return GiveUp(rejected.code)
        except (Unavailable, StaleStream):
            return TryLater("unavailable")
        except Exception as bug:
            logger.error(
                "attempt failed for a fault of ours",
                notification_id=held.notification_id,
                error=safe_traceback(bug),
            )
            return TryLater("fault")

    async def _finish(self) -> None:
        """Wait for what is under way; what is not done by then comes back when its lease ends."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=STOP_WAIT_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


async def _record(attempted: Attempted, outcomes: Batcher[Attempted, None], lease_ends: float) -> None:
    """Have an outcome written down while the delivery is ours; afterwards it is attempted again."""
    while True:
        try:
            return await outcomes.ask(attempted.held.issuer_id, attempted)
        except MicrocredError as cause:
            problem = str(cause)
        except Exception as bug:
            problem = type(bug).__name__  # the Batcher has logged it, and will again
        if time.monotonic() + RECORD_AGAIN_WAIT_S > lease_ends:
            logger.error(
                "an outcome is lost: the delivery will be attempted again",
                notification_id=attempted.held.notification_id,
                problem=problem,
            )
            return None
        await asyncio.sleep(RECORD_AGAIN_WAIT_S)
