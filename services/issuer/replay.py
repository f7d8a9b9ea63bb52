"""Read models from zero: what `microcred replay issuer` does. The truth that no event holds stays as it is.

Secrets, keys of posted credentials and reserved places are never touched, nothing is appended, and no message
leaves: a rebuild only projects. It is one transaction, and takes no lock that stops a reader: pages, key
checks and searches see the old tables until it commits, and then the new ones.
"""

from __future__ import annotations

from services.issuer.projections import READ_MODELS, project
from services.issuer.settings import IssuerSettings
from shared import access
from shared.database import Database
from shared.eventstore import log
from shared.eventstore.log import Connection

PAGE_EVENTS_MAX = 1_000
# In the order in which live handlers lock them before they append: `holding` and then `tenant` to issue,
# `tenant` to make an issuer, `status_list` to publish. Whoever opens a list holds its tenant, so nobody can
# still be about to write a list once all three are ours.
LOCKED_BEFORE_THE_LOG = ("holding", "tenant", "status_list")


async def replay(settings: IssuerSettings) -> str:
    """Rebuild the issuer that `settings` describe; returns a sentence for the operator."""
    dsn = settings.database_url.get_secret_value()
    async with await Database.open(dsn, "issuer", settings.database_connections_max) as database:
        events = await rebuild(database)
    rebuilt = "profiles, public keys, achievements, credentials, posted ones, status lists and API keys"
    return f"issuer: {rebuilt} rebuilt from {events} events."


async def rebuild(database: Database) -> int:
    """Empty the read models and project the whole log into them again; returns the number of events read.

    Writers wait until it is done, readers do not. Raises Unavailable.
    """
    read = position = 0
    async with database.session() as session:
        await _lock(session.connection)
        for table in (*READ_MODELS, "api_key"):
            # Never TRUNCATE: its lock would keep out readers, and with them every check of an API key.
            await session.connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our names
        while page := await log.read_after(session.connection, position, PAGE_EVENTS_MAX):
            await project(session.connection, page)
            await access.keep_api_keys(page, session, None)
            position = page[-1].position
            read += len(page)
    return read


async def _lock(connection: Connection) -> None:
    """Keep writers out, in the lock order of the house: truth, the log, read models."""
    await connection.execute(f"LOCK TABLE {', '.join(LOCKED_BEFORE_THE_LOG)} IN EXCLUSIVE MODE")
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(current_schema(), 0))")
    # The one read model that a lane writes without appending.
    await connection.execute("LOCK TABLE api_key IN EXCLUSIVE MODE")
