"""What no event triggers about status lists: the next one is opened in time, and none grows stale.

A list stands all-zero before the first credential names it: places are reserved in published lists alone
(`store.reserve_places`), and the signer opens a tenant's next list while PLACES_AHEAD_MIN of its places are
still free. So whoever issues needs no private key, and waits only if the signer was away for that long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from services.issuer import status_list_store, store
from services.issuer.handlers.status_lists import Change, StatusLists
from services.issuer.handlers.tenant_secrets import TenantSecrets, list_id
from services.issuer.indexes import CAPACITY
from services.issuer.projections import project
from shared import clock
from shared.database import Database
from shared.errors import StaleStream, Unavailable
from shared.eventstore import Meta
from shared.resting import rest

PLACES_AHEAD_MIN = CAPACITY // 2
OPEN_EVERY_S = 1.0
OPEN_LISTS_MAX = 50
"""Lists that one turn opens in one transaction."""
REFRESH_LISTS_MAX = 50
"""Lists that one turn of the refreshing loop publishes in one transaction."""

logger = structlog.get_logger(__name__)


class OpenLists:
    """Opens each tenant's next list before its last one is full."""

    def __init__(self, database: Database, lists: StatusLists, secrets: TenantSecrets) -> None:
        self._database = database
        self._lists = lists
        self._secrets = secrets

    async def run(self, stopping: asyncio.Event) -> None:
        """Look every OPEN_EVERY_S seconds until `stopping`."""
        await _until(stopping, OPEN_EVERY_S, self.turn)

    async def turn(self) -> int:
        """Open the next list of up to OPEN_LISTS_MAX tenants that run short; returns how many."""
        async with self._database.session() as session:
            # Locked first and counted then: another signer may have opened a list while we waited.
            short = await status_list_store.lock_tenants_short_of(
                session.connection, PLACES_AHEAD_MIN, OPEN_LISTS_MAX
            )
            ordinals = await status_list_store.next_ordinals(session.connection, short, PLACES_AHEAD_MIN)
            tenants = await store.tenants(session.connection, ordinals)
            names = [(issuer_id, self._name(tenants[issuer_id], n)) for issuer_id, n in ordinals.items()]
            meta = Meta("loop:issuer.open_lists", str(clock.ordered_uuid()))
            opened = await session.append(await self._lists.open(session, names, tenants, meta))
            await project(session.connection, opened)
        return len(ordinals)

    def _name(self, tenant: store.Tenant, ordinal: int) -> str:
        return list_id(self._secrets.open(tenant.issuer_id, tenant.wrapped_secret), ordinal)

    async def pending(self) -> int:
        """Return how many tenants run short of places."""
        async with self._database.connection() as connection:
            return await status_list_store.count_tenants_short_of(connection, PLACES_AHEAD_MIN)


class RefreshLists:
    """Publishes lists anew, unchanged, well before their newest version ends: a stale list is no answer.

    Nor is one under a compromised key: it gets the signature of another at the next turn.
    """

    def __init__(self, database: Database, lists: StatusLists, before: timedelta, every_s: float) -> None:
        self._database = database
        self._lists = lists
        self._before = before
        self._every_s = every_s

    async def run(self, stopping: asyncio.Event) -> None:
        """Look every `every_s` seconds until `stopping`."""
        await _until(stopping, self._every_s, self.turn)

    async def turn(self) -> int:
        """Publish up to REFRESH_LISTS_MAX lists that are due; returns how many."""
        async with self._database.session() as session:
            rows = await status_list_store.lock_due_lists(
                session.connection, session.at + self._before, REFRESH_LISTS_MAX
            )
            tenants = await store.tenants(session.connection, {row.key[0] for row in rows})
            meta = Meta("loop:issuer.refresh_lists", str(clock.ordered_uuid()))
            changes = [Change(row, row.bits, meta) for row in rows]
            published = await session.append(await self._lists.next_versions(session, changes, tenants))
            await project(session.connection, published)
        return len(rows)

    async def pending(self) -> int:
        """Return how many lists are due."""
        async with self._database.connection() as connection:
            return await status_list_store.count_due_lists(connection, clock.now() + self._before)


async def _until(stopping: asyncio.Event, every_s: float, turn: Callable[[], Awaitable[int]]) -> None:
    """Take turns while there is work, look again every `every_s` seconds; wait out what will pass."""
    while not stopping.is_set():
        try:
            while not stopping.is_set() and await turn():
                pass
        except (Unavailable, StaleStream) as cause:
            logger.warning("status lists wait", reason=str(cause))
        await rest(stopping, every_s)
