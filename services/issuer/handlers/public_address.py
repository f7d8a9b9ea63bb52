"""PUBLIC_URL is for ever: the first tenant records it, and under another one nothing starts.

It stands in every signed document and in every rendered one. With another PUBLIC_URL each credential would
be rendered with other bytes than were signed, and the next version of a status list would have another id
than the one that credentials name: all of them would be lost at once, and nobody told. So it is refused
before anything runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.issuer import store
from shared.database import Database
from shared.errors import Conflict
from shared.eventstore.log import Connection


async def keep_public_url(connection: Connection, public_url: str) -> None:
    """Record `public_url` if none is recorded. Raises Conflict('public-url-changed') if another one is."""
    await store.keep_public_url(connection, public_url)
    _refuse_another(await store.public_url(connection), public_url)


@asynccontextmanager
async def unchanged_public_url(database: Database, public_url: str) -> AsyncIterator[None]:
    """A resource of the service, entered before anything runs. Raises Conflict('public-url-changed')."""
    async with database.connection() as connection:
        recorded = await store.public_url(connection)
    _refuse_another(recorded, public_url)
    yield


def _refuse_another(recorded: str | None, given: str) -> None:
    if recorded not in (None, given):
        raise Conflict(
            "public-url-changed",
            f"PUBLIC_URL is {given}, but what was issued here was signed under {recorded}, which can never"
            f" change: set PUBLIC_URL to {recorded} again, or use an empty database for the new address.",
        )
