"""Builds the projection `credential` again from the issuer's log. Deliveries are truth and stay untouched.

There is no courier here and no channel: whatever a replay reads, nothing becomes due.
"""

from __future__ import annotations

from typing import Final

from services.notifier.projections import REBUILT_FROM, forget_credentials, keep_credentials
from services.notifier.settings import NotifierSettings
from shared.contracts.topics import CREDENTIALS
from shared.database import Database
from shared.eventstore.log import Connection, read_after

READ_EVENTS_MAX: Final = 500


async def replay(settings: NotifierSettings) -> list[str]:
    """Empty the projection and fill it in one transaction, so that no courier ever sees half of it.

    Returns a line for the operator. Raises Unavailable where a database does not answer.
    """
    own_dsn, log_dsn = settings.database_url, settings.bus_database_url
    async with (
        await Database.open(own_dsn.get_secret_value(), "notifier", connections_max=2) as own,
        await Database.open(log_dsn.get_secret_value(), CREDENTIALS.producer, connections_max=2) as log,
        log.connection() as reader,
        own.session() as session,
    ):
        await forget_credentials(session.connection)
        events = await _read_into(reader, session.connection)
    return [f"notifier: credential rebuilt from {events} events; deliveries are not part of a replay."]


async def _read_into(reader: Connection, own: Connection) -> int:
    types = [event.TYPE for event in REBUILT_FROM]
    position = events = 0
    while batch := await read_after(reader, position, READ_EVENTS_MAX, types):
        await keep_credentials(own, batch)
        position = batch[-1].position
        events += len(batch)
    return events
