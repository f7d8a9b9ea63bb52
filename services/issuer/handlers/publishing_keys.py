"""A tenant's next key of a kind: made, kept and published, by an operator or when the signer starts.

Whoever publishes a key holds the tenant's lock, as whoever issues does: nothing is begun meanwhile. The
private half is kept first, in a transaction of its own: a key without an event is nobody's, and a published
one is never without its private half.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from services.issuer import key_rules, store
from services.issuer.handlers.new_keys import make_key
from services.issuer.key_rules import PublishedKey
from services.issuer.projections import project
from services.issuer.signing_key_store import insert_key
from shared import clock
from shared.database import Database
from shared.errors import NotFound
from shared.eventstore import Meta, Session
from shared.key_kinds import KeyKind
from shared.sealing import MasterKey
from shared.tokens import Token

ACTOR = "start:issuer.no_missing_keys"
TENANTS_MAX = 100_000
"""Tenants that a start looks at."""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KeyMaking:
    """What making a key depends on."""

    signing: Database
    master_key: MasterKey
    token: Token | None
    public_url: str
    overlap: timedelta

    async def publish(
        self, session: Session, slug: str, kind: KeyKind, meta: Meta, *, at_once: bool = False
    ) -> PublishedKey:
        """Lock the tenant and make its next key of a kind; that signs after the overlap, or `at_once`.

        Raises Conflict while an earlier new one waits and for a did:key, NotFound, and Unavailable.
        """
        did, keys = await locked(session, slug)
        at = clock.now()
        valid_from = key_rules.first_use(did, keys, kind, overlap=self.overlap, at_once=at_once, at=at)
        key = await make_key(self.master_key, self.token, self.public_url, slug, kind)
        async with self.signing.connection() as connection:
            await insert_key(connection, slug, key.key_id, key.kept)
        append = key.published(slug, at=at, valid_from=valid_from, meta=meta)
        await project(session.connection, await session.append([append]))
        return PublishedKey(key.key_id, key.public_key_multibase, at, valid_from)

    async def publish_missing(self, database: Database, kinds: frozenset[KeyKind]) -> None:
        """Publish a key for every tenant that has none of a kind, or none that is not retired."""
        async with database.connection() as connection:
            tenants = await store.all_tenants(connection, TENANTS_MAX)
        for tenant in tenants:
            for kind in sorted(kinds - _kinds(tenant.keys)):
                async with database.session() as session:
                    _, keys = await locked(session, tenant.issuer_id)
                    if kind in _kinds(keys):  # another signer was first
                        continue
                    meta = Meta(ACTOR, str(clock.ordered_uuid()))
                    key = await self.publish(session, tenant.issuer_id, kind, meta)
                logger.info("published a key", issuer=tenant.issuer_id, key=key.name, kind=kind.value)


@asynccontextmanager
async def no_missing_keys(
    making: KeyMaking, database: Database, kinds: frozenset[KeyKind]
) -> AsyncIterator[None]:
    """A resource of the signer: by the time it is at work every tenant has keys for the chosen forms."""
    await making.publish_missing(database, kinds)
    yield


async def locked(session: Session, slug: str) -> tuple[str, tuple[PublishedKey, ...]]:
    """Lock a tenant; returns its DID and every key that it published. Raises NotFound for an unknown one."""
    did = await store.lock_tenant(session.connection, slug)
    if did is None:
        raise NotFound("issuer-unknown", "There is no such issuer.")
    return did, (await store.published_keys(session.connection, [slug]))[slug]


def _kinds(keys: tuple[PublishedKey, ...]) -> frozenset[KeyKind]:
    return frozenset(key.kind for key in keys if key.retired_as is None)
