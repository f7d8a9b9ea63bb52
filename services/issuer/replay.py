"""Read models from zero: what `microcred replay issuer` does. The truth that no event holds stays as it is.

Secrets, sealed seeds and reserved places are never touched, nothing is appended, and no message leaves: a
rebuild only projects. It is one transaction, so that readers see the old tables or the new ones.
"""

from __future__ import annotations

from services.issuer.projections import READ_MODELS, project
from services.issuer.settings import IssuerSettings
from shared import access
from shared.database import Database
from shared.eventstore import log

PAGE_EVENTS_MAX = 1_000


async def replay(settings: IssuerSettings) -> str:
    """Rebuild the issuer that `settings` describe; returns a sentence for the operator."""
    dsn = settings.database_url.get_secret_value()
    async with await Database.open(dsn, "issuer", settings.database_connections_max) as database:
        events = await rebuild(database)
    rebuilt = "profiles, public keys, achievements, credentials, status lists and API keys"
    return f"issuer: {rebuilt} rebuilt from {events} events."


async def rebuild(database: Database) -> int:
    """Empty the read models and project the whole log into them again; returns the number of events read.

    Writers wait until it is done. Raises Unavailable.
    """
    read = position = 0
    async with database.session() as session:
        # The tables in one order and before the log: what live handlers hold when they append.
        await session.connection.execute(f"TRUNCATE {', '.join(READ_MODELS)}, api_key")
        await session.connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(current_schema(), 0))"
        )
        while page := await log.read_after(session.connection, position, PAGE_EVENTS_MAX):
            await project(session.connection, page)
            await access.keep_api_keys(page, session, None)
            position = page[-1].position
            read += len(page)
    return read
