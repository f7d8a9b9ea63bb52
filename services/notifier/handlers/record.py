"""Writes down what became of attempts: many at a time, events and rows in one transaction.

If this fails, the message has left and nobody knows: the lease ends, and the same message goes out again
under the same id. That is the one way in which a receiver gets it twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

import structlog
from prometheus_client import Counter

from services.notifier import store, subscription_store
from services.notifier.domain import UNKNOWN, Attempt, decide_outcome, evolve, next_attempt_at
from services.notifier.messages import happened_at
from services.notifier.outcomes import ENDPOINT_GONE, Delivered, Outcome, TryLater
from services.notifier.store import DeliveryRef, DeliveryState, Held, Settled, Standing
from shared import telemetry
from shared.contracts.event import Event
from shared.contracts.notifications import NotificationGaveUp, NotificationSent
from shared.database import Database
from shared.eventstore import Append, Meta, Recorded, Session

ACTOR: Final = "loop:notifier.courier"
STREAM: Final = "notification-"

ATTEMPTS = Counter("microcred_delivery_attempts_total", "Attempts by what became of them", ["outcome"])
logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Attempted:
    """One attempt at one delivery, and what came of it."""

    held: Held
    outcome: Outcome

    @property
    def ref(self) -> DeliveryRef:
        return self.held.issuer_id, self.held.notification_id


class OutcomeRecorder:
    """The flush of the courier's Batcher."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, batch: Sequence[Attempted]) -> list[None]:
        """Write the outcomes down. Raises StaleStream and Unavailable; nothing is written then."""
        async with self._database.session() as session:
            standings = await store.lock(session.connection, [each.ref for each in batch])
            history = await session.load((each.ref[0], STREAM + each.ref[1]) for each in batch)
            appends: list[Append] = []
            settled: list[Settled] = []
            for each in batch:
                _decide(each, standings, history, session, appends, settled)
            await session.append(appends)
            await store.settle(session.connection, settled)
            gone = [each.held for each in batch if each.outcome == ENDPOINT_GONE]
            await subscription_store.disable(
                session.connection,
                sorted(
                    {
                        (held.issuer_id, held.subscription.subscription_id)
                        for held in gone
                        if held.subscription
                    }
                ),
                session.at,
            )
        for each in batch:
            _tell_operators(each, session)
        return [None] * len(batch)


def _decide(
    attempted: Attempted,
    standings: Mapping[DeliveryRef, Standing],
    history: Mapping[tuple[str, str], list[Recorded]],
    session: Session,
    appends: list[Append],
    settled: list[Settled],
) -> None:
    held, standing = attempted.held, standings[attempted.ref]
    past = history[(held.issuer_id, STREAM + held.notification_id)]
    state = reduce(evolve, (recorded.event for recorded in past), UNKNOWN)
    current = (standing.state, standing.holder, standing.attempts) == ("held", held.holder, held.attempts)
    attempt = Attempt(held.notification_id, held.attempts, held.attempts_max, current)
    events = tuple(decide_outcome(state, attempt, attempted.outcome, session.at))
    if events:
        asked = past[0]
        meta = Meta(ACTOR, asked.meta.correlation, asked.id, asked.meta.traceparent)
        appends.append(Append(held.issuer_id, asked.stream, len(past), events, meta))
    row = _row(attempted, attempt, events, session)
    if row is not None:
        settled.append(row)


def _row(attempted: Attempted, attempt: Attempt, events: Sequence[Event], session: Session) -> Settled | None:
    """Return the delivery's new row: what the decision says, or nothing where another attempt decides."""
    outcome = attempted.outcome
    reason = None if isinstance(outcome, Delivered) else outcome.reason
    ended: DeliveryState | None = None
    for event in events:
        if isinstance(event, NotificationSent):
            ended = "sent"
        elif isinstance(event, NotificationGaveUp):
            ended = "gave-up"
    if ended is not None:
        return Settled(attempted.ref, ended, session.at, reason)
    if not attempt.current or not isinstance(outcome, TryLater):
        return None
    again = next_attempt_at(attempt, outcome, session.at)
    return None if again is None else Settled(attempted.ref, "due", again, reason)


def _tell_operators(attempted: Attempted, session: Session) -> None:
    held, outcome = attempted.held, attempted.outcome
    ATTEMPTS.labels(type(outcome).__name__).inc()
    if isinstance(outcome, Delivered):
        seconds = (session.at - happened_at(held.about, held.credential)).total_seconds()
        journey = f"{held.about.removeprefix('credential.')}-to-told"
        telemetry.END_TO_END_SECONDS.labels(journey).observe(max(0.0, seconds))
        return
    logger.info(
        "attempt without success",
        correlation=held.correlation,
        issuer_id=held.issuer_id,
        notification_id=held.notification_id,
        attempts=held.attempts,
        outcome=type(outcome).__name__,
        reason=outcome.reason,
    )
