"""Builds the read models `credential` and `api_key` again from the issuer's log.

Deliveries are truth and stay untouched. There is no courier here and no channel: whatever a replay reads,
nothing becomes due.
"""

from __future__ import annotations

from typing import Final

from services.notifier.projections import REBUILT_FROM, forget_all, keep_credentials
from services.notifier.settings import NotifierSettings
from shared.access import keep_api_keys
from shared.contracts.event import Event
from shared.contracts.issuers import ApiKeyCreated, ApiKeyRevoked
from shared.contracts.topics import CREDENTIALS
from shared.database import Database
from shared.eventstore import Session
from shared.eventstore.log import Connection, read_after

READ_EVENTS_MAX: Final = 500
READ: Final[tuple[type[Event], ...]] = (*REBUILT_FROM, ApiKeyCreated, ApiKeyRevoked)


async def replay(settings: NotifierSettings) -> str:
    """Empty the read models and fill them in one transaction, so that no courier ever sees half of one.

    Returns a sentence for the operator. Raises Unavailable where a database does not answer.
    """
    own_dsn, log_dsn = settings.database_url, settings.log_dsn
    async with (
        await Database.open(own_dsn.get_secret_value(), "notifier", connections_max=2) as own,
        await Database.open(log_dsn, CREDENTIALS.producer, connections_max=2) as log,
        log.connection() as reader,
        own.session() as session,
    ):
        await forget_all(session.connection)
        events = await _read_into(reader, session)
    return f"notifier: credentials and API keys rebuilt from {events} events."


async def _read_into(reader: Connection, session: Session) -> int:
    types = [event.TYPE for event in READ]
    position = events = 0
    while batch := await read_after(reader, position, READ_EVENTS_MAX, types):
        await keep_credentials(session.connection, batch)
        await keep_api_keys(batch, session, None)
        position = batch[-1].position
        events += len(batch)
    return events
