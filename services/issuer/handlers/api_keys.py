"""API keys: made, listed and revoked by an operator. Hashes are stored; a key is shown once, to its maker.

The issuer owns them; every service keeps the hashes from the events. These commands work on a Database alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from services.issuer import domain, store
from services.issuer.handlers.retrying import retrying
from services.issuer.handlers.tenants import OPERATOR
from services.issuer.store import ApiKeyRow
from shared import access, clock
from shared.access import NewKey, Scope
from shared.contracts.issuers import ApiKeyCreated
from shared.database import Database
from shared.errors import Invalid, NotFound
from shared.eventstore import Append, Meta

KEYS_LISTED_MAX = 500
KEY_DAYS_MAX = 3_650
LABEL_CHARACTERS_MAX = 100


async def create_api_key(
    database: Database,
    slug: str,
    label: str,
    scopes: Iterable[Scope],
    valid_days: int,
    *,
    actor: str = OPERATOR,
) -> NewKey:
    """Make a key for a tenant; `token` of the answer is known at no other moment.

    `valid_days` is 1 … KEY_DAYS_MAX, `label` has up to LABEL_CHARACTERS_MAX. Raises Invalid, and NotFound for
    an unknown tenant.
    """
    if not 1 <= valid_days <= KEY_DAYS_MAX or len(label) > LABEL_CHARACTERS_MAX:
        rule = f"An API key is valid for 1 to {KEY_DAYS_MAX} days, its label {LABEL_CHARACTERS_MAX} long."
        raise Invalid("api-key-invalid", rule)
    key = access.new_key()
    async with database.session() as session:
        if await store.newest_profile(session.connection, slug) is None:
            raise NotFound("issuer-unknown", "There is no such issuer.")
        event = ApiKeyCreated(
            prefix=key.prefix,
            sha256=key.sha256,
            label=label,
            scopes=tuple(sorted({scope.value for scope in scopes})),
            created_at=session.at,
            expires_at=session.at + timedelta(days=valid_days),
        )
        meta = Meta(actor, str(clock.ordered_uuid()))
        recorded = await session.append([Append(slug, event.stream, 0, (event,), meta)])
        await access.keep_api_keys(recorded, session, None)
    return key


async def list_api_keys(database: Database, slug: str) -> list[ApiKeyRow]:
    """Return up to KEYS_LISTED_MAX keys of a tenant, newest first; never the keys themselves.

    Raises NotFound for an unknown tenant.
    """
    async with database.connection() as connection:
        if await store.newest_profile(connection, slug) is None:
            raise NotFound("issuer-unknown", "There is no such issuer.")
        return await store.api_keys(connection, slug, KEYS_LISTED_MAX)


async def revoke_api_key(database: Database, slug: str, prefix: str, *, actor: str = OPERATOR) -> None:
    """End a key; a second time changes nothing. Raises NotFound for a key that is not the tenant's."""

    async def command() -> None:
        key = (slug, f"{ApiKeyCreated.STREAM}-{prefix}")
        async with database.session() as session:
            history = (await session.load([key]))[key]
            events = domain.decide_revoke_api_key([each.event for each in history], prefix, session.at)
            meta = Meta(actor, str(clock.ordered_uuid()))
            appends = [Append(*key, len(history), tuple(events), meta)] if events else []
            await access.keep_api_keys(await session.append(appends), session, None)

    await retrying(command)
