"""The SQL of subscriptions. Secrets go in and out wrapped; the rows are truth, no event tells of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg

from services.notifier.domain import Listener
from shared.errors import Conflict
from shared.eventstore.log import Connection

SubscriptionState = Literal["active", "disabled", "deleted"]


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who is told by webhook. `secret` and `retiring_secret` are wrapped; a deleted one has neither."""

    issuer_id: str
    subscription_id: str
    url: str
    events: tuple[str, ...]
    state: SubscriptionState
    secret: bytes | None
    retiring_secret: bytes | None
    retiring_until: datetime | None
    created_at: datetime


def subscription_from_row(row: Any) -> Subscription:
    """Read a row that has the columns of SELECT."""
    return Subscription(
        row["issuer_id"],
        str(row["subscription_id"]),
        row["url"],
        tuple(row["events"]),
        row["state"],
        row["secret"],
        row["retiring_secret"],
        row["retiring_until"],
        row["created_at"],
    )


SELECT = """
SELECT issuer_id, subscription_id, url, events, state, secret, retiring_secret, retiring_until, created_at
FROM subscription WHERE issuer_id = $1 AND state <> 'deleted'
"""


async def lock_of_issuer(connection: Connection, issuer_id: str) -> int:
    """Take turns with whoever else adds a subscription of the tenant; return how many are active."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' subscriptions ' || $1, 0))",
        issuer_id,
    )
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM subscription WHERE issuer_id = $1 AND state = 'active'", issuer_id
        )
    )


async def insert(connection: Connection, subscription: Subscription, created_by: str) -> None:
    """Add a subscription. Raises Conflict("subscription-exists") where its address is told already."""
    try:
        await connection.execute(
            "INSERT INTO subscription (issuer_id, subscription_id, url, events, state, secret, created_by,"
            " created_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
            subscription.issuer_id,
            subscription.subscription_id,
            subscription.url,
            list(subscription.events),
            subscription.state,
            subscription.secret,
            created_by,
            subscription.created_at,
        )
    except asyncpg.UniqueViolationError as taken:
        raise Conflict("subscription-exists", "An active subscription has this address already.") from taken


async def listed(connection: Connection, issuer_id: str) -> list[Subscription]:
    """Return a tenant's subscriptions, oldest first, without deleted ones."""
    rows = await connection.fetch(f"{SELECT} ORDER BY created_at, subscription_id", issuer_id)
    return [subscription_from_row(row) for row in rows]


async def get(
    connection: Connection, issuer_id: str, subscription_id: UUID, for_update: bool = False
) -> Subscription | None:
    """Return one subscription, locked if asked for, or None if the tenant has no such one."""
    lock = " FOR UPDATE" if for_update else ""
    row = await connection.fetchrow(f"{SELECT} AND subscription_id = $2{lock}", issuer_id, subscription_id)
    return None if row is None else subscription_from_row(row)


async def delete(connection: Connection, issuer_id: str, subscription_id: UUID, at: datetime) -> bool:
    """End a subscription and forget its secrets; the row stays for the deliveries that name it."""
    return bool(
        await connection.fetchval(
            "UPDATE subscription SET state = 'deleted', secret = NULL, retiring_secret = NULL,"
            " retiring_until = NULL, changed_at = $3"
            " WHERE issuer_id = $1 AND subscription_id = $2 AND state <> 'deleted' RETURNING true",
            issuer_id,
            subscription_id,
            at,
        )
    )


async def rotate(connection: Connection, subscription: Subscription, at: datetime) -> None:
    """Write the secrets of a subscription that is locked."""
    await connection.execute(
        "UPDATE subscription SET secret = $3, retiring_secret = $4, retiring_until = $5, changed_at = $6"
        " WHERE issuer_id = $1 AND subscription_id = $2",
        subscription.issuer_id,
        subscription.subscription_id,
        subscription.secret,
        subscription.retiring_secret,
        subscription.retiring_until,
        at,
    )


async def listeners(connection: Connection, issuer_ids: Iterable[str]) -> dict[str, list[Listener]]:
    """Return the active subscriptions of each tenant, in one query."""
    rows = await connection.fetch(
        "SELECT issuer_id, subscription_id, events, created_at FROM subscription"
        " WHERE issuer_id = ANY($1) AND state = 'active' ORDER BY issuer_id, subscription_id",
        sorted(set(issuer_ids)),
    )
    found: dict[str, list[Listener]] = {}
    for row in rows:
        listener = Listener(str(row["subscription_id"]), frozenset(row["events"]), row["created_at"])
        found.setdefault(row["issuer_id"], []).append(listener)
    return found


async def disable(connection: Connection, refs: Sequence[tuple[str, str]], at: datetime) -> None:
    """Stop telling subscriptions, given as (issuer_id, subscription_id), whose endpoints said never again."""
    if refs:
        await connection.execute(
            "UPDATE subscription s SET state = 'disabled', changed_at = $3"
            " FROM unnest($1::text[], $2::uuid[]) AS gone (issuer_id, subscription_id)"
            " WHERE s.issuer_id = gone.issuer_id AND s.subscription_id = gone.subscription_id"
            " AND s.state = 'active'",
            [issuer_id for issuer_id, _ in refs],
            [subscription_id for _, subscription_id in refs],
            at,
        )
