"""Signing keys over time: a new one is published, an old one is retired, all of them are shown.

Commands of an operator on a Database alone; no server need run. Whoever changes a tenant's keys locks the
tenant, as whoever issues does: two operators take turns, and nothing is begun under a key that has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.issuer import key_rules, store
from services.issuer.handlers.publishing_keys import KeyMaking, locked
from services.issuer.handlers.retrying import retrying
from services.issuer.handlers.signing_keys import migrate_keys, open_keys, token_of
from services.issuer.handlers.tenants import OPERATOR
from services.issuer.key_rules import PublishedKey
from services.issuer.projections import project
from services.issuer.settings import IssuerSettings
from services.issuer.signing_key_store import kept_keys
from shared import clock
from shared.contracts.issuers import IssuerKeyPublished, KeyRetirement
from shared.database import Database
from shared.errors import NotFound
from shared.eventstore import Append, Meta
from shared.key_kinds import KeyKind
from shared.sealing import MasterKey


async def rotate_signing_key(
    database: Database,
    settings: IssuerSettings,
    slug: str,
    kind: KeyKind = KeyKind.ED25519,
    *,
    at_once: bool = False,
    actor: str = OPERATOR,
) -> PublishedKey:
    """Make a tenant's next key of a kind and publish it; it signs after `settings.key_overlap`, or `at_once`.

    Raises NotFound for an unknown tenant, Conflict while an earlier new key waits and for a did:key, and
    Unavailable.
    """
    master_key = MasterKey.from_file(settings.master_key_file)
    async with await open_keys(settings) as signing, database.session() as session:
        await migrate_keys(signing)
        making = KeyMaking(signing, master_key, token_of(settings), settings.public_url, settings.key_overlap)
        return await making.publish(session, slug, kind, _meta(actor), at_once=at_once)


async def retire_signing_key(
    database: Database,
    slug: str,
    name: str,
    reason: KeyRetirement,
    *,
    since: datetime | None = None,
    actor: str = OPERATOR,
) -> PublishedKey:
    """Record the end of the key `name`; the same end again changes nothing. Returns the key as it is then.

    `since`: when it fell into other hands, for a compromised one. Raises NotFound, Invalid and Conflict as
    `key_rules.decide_retire_key` does.
    """

    async def command() -> PublishedKey:
        async with database.session() as session:
            did, keys = await locked(session, slug)
            # Not session.at: what was begun under the key until we had the lock is older than its end.
            events = key_rules.decide_retire_key(did, keys, name, reason, since=since, at=clock.now())
            stream = f"{IssuerKeyPublished.STREAM}-{name}"
            history = (await session.load([(slug, stream)]))[(slug, stream)]
            appends = [Append(slug, stream, len(history), tuple(events), _meta(actor))] if events else []
            await project(session.connection, await session.append(appends))
            kept = (await store.published_keys(session.connection, [slug]))[slug]
        return next(key for key in kept if key.name == name)

    return await retrying(command)


async def custody_of_keys(
    settings: IssuerSettings, slug: str, keys: Sequence[PublishedKey]
) -> dict[str, str]:
    """How the private half of each key is kept (`envelope`, `pkcs11`), by key id, for those that are here."""
    async with await open_keys(settings) as signing:
        await migrate_keys(signing)
        async with signing.connection() as connection:
            found = await kept_keys(connection, [(slug, key.key_id) for key in keys])
    return {key_id: kept.custody for (_, key_id), kept in found.items()}


async def list_signing_keys(database: Database, slug: str) -> tuple[PublishedKey, ...]:
    """Return every key that a tenant ever published, oldest first. Raises NotFound for an unknown tenant."""
    async with database.connection() as connection:
        keys = (await store.published_keys(connection, [slug]))[slug]
    if not keys:
        raise NotFound("issuer-unknown", "There is no such issuer.")
    return keys


def _meta(actor: str) -> Meta:
    return Meta(actor, str(clock.ordered_uuid()))
