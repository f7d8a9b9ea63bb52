"""Builds the assessor's read models again from the logs: what `microcred replay assessor` does.

`attempt` comes from the assessor's own log, `achievement` and `api_key` from the issuer's. The mapping of
references to learners and the learners' keys are truth that no event holds; they stay as they are, so that a
replay can neither lose a learner nor bring one back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

from services.assessor import projections
from services.assessor.settings import AssessorSettings
from shared.access import keep_api_keys
from shared.contracts.achievements import AchievementPublished
from shared.contracts.assessments import AssessmentSubmitted
from shared.contracts.event import Event
from shared.contracts.issuers import ApiKeyCreated, ApiKeyRevoked
from shared.contracts.learners import LearnerErased
from shared.contracts.topics import ACHIEVEMENTS, ASSESSMENTS
from shared.database import Database
from shared.eventstore import Recorded, Session
from shared.eventstore.log import Connection, read_after

READ_EVENTS_MAX: Final = 500
OWN: Final[tuple[type[Event], ...]] = (AssessmentSubmitted, LearnerErased)
HEARD: Final[tuple[type[Event], ...]] = (AchievementPublished, ApiKeyCreated, ApiKeyRevoked)


async def replay(settings: AssessorSettings) -> str:
    """Empty the read models and fill them in one transaction; until it commits everyone sees the old ones.

    Returns a sentence for the operator. Raises Unavailable where a database does not answer.
    """
    own_dsn, log_dsn = settings.database_url, settings.log_dsn
    async with (
        await Database.open(own_dsn.get_secret_value(), ASSESSMENTS.producer, connections_max=2) as own,
        await Database.open(log_dsn, ACHIEVEMENTS.producer, connections_max=2) as log,
        log.connection() as heard,
        own.session() as session,
    ):
        await projections.forget_all(session.connection)
        events = 0
        async for batch in _batches(session.connection, OWN):
            await projections.count_attempts(session.connection, batch)
            events += len(batch)
        async for batch in _batches(heard, HEARD):
            await _keep(batch, session)
            events += len(batch)
    return f"assessor: attempts, achievements and API keys rebuilt from {events} events."


async def _keep(batch: Sequence[Recorded], session: Session) -> None:
    await projections.keep_achievements(session.connection, batch)
    await keep_api_keys(batch, session, None)


async def _batches(log: Connection, events: Sequence[type[Event]]) -> AsyncIterator[list[Recorded]]:
    position = 0
    while batch := await read_after(log, position, READ_EVENTS_MAX, [event.TYPE for event in events]):
        yield batch
        position = batch[-1].position
