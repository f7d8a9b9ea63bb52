"""The SQL of deliveries: which are open, who holds them, what became of them; always in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from services.notifier.domain import About, Channel, CredentialFacts
from services.notifier.subscription_store import Subscription, subscription_from_row
from shared.eventstore.log import Connection

DELIVERIES_LISTED_MAX: Final = 500

DeliveryState = Literal["due", "held", "sent", "gave-up"]
DeliveryRef = tuple[str, str]
"""(issuer_id, notification_id)"""


@dataclass(frozen=True, slots=True)
class Held:
    """A delivery that a courier has taken, with all that its message needs.

    `holder` and `attempts` together name this very attempt: a later one has another number. `correlation` is
    for logs alone, and None where an earlier release asked for the delivery.
    """

    issuer_id: str
    notification_id: str
    lane: str
    about: About
    attempts: int
    attempts_max: int
    wording: int
    holder: UUID
    correlation: str | None
    credential: CredentialFacts
    subscription: Subscription | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as its tenant may see it."""

    notification_id: str
    channel: Channel
    about: About
    credential_id: str
    subscription_id: str | None
    state: DeliveryState
    attempts: int
    due_at: datetime
    last_reason: str | None
    requested_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a delivery stands while an outcome is recorded."""

    state: DeliveryState
    holder: UUID | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Settled:
    """The new state of a delivery."""

    ref: DeliveryRef
    state: DeliveryState
    due_at: datetime
    reason: str | None


TAKE = """
WITH RECURSIVE lane AS (
    (SELECT d.lane FROM delivery d WHERE d.channel = $1 AND d.state IN ('due', 'held')
     ORDER BY d.lane LIMIT 1)
  UNION ALL
    SELECT (SELECT d.lane FROM delivery d
            WHERE d.channel = $1 AND d.state IN ('due', 'held') AND d.lane > lane.lane
            ORDER BY d.lane LIMIT 1)
    FROM lane WHERE lane.lane IS NOT NULL
), turn AS MATERIALIZED (
    SELECT lane.lane, greatest($2 - coalesce(busy.number, 0), 0) AS room
    FROM lane LEFT JOIN unnest($3::text[], $4::int[]) AS busy (lane, number) ON busy.lane = lane.lane
    WHERE lane.lane IS NOT NULL ORDER BY lane.lane <= $5, lane.lane
), taken AS MATERIALIZED (
    SELECT open.issuer_id, open.notification_id
    FROM turn CROSS JOIN LATERAL (
        SELECT d.issuer_id, d.notification_id FROM delivery d
        WHERE d.channel = $1 AND d.lane = turn.lane AND d.state IN ('due', 'held') AND d.due_at <= now()
        ORDER BY d.due_at LIMIT turn.room FOR UPDATE SKIP LOCKED
    ) AS open
    LIMIT $6
), held AS (
    UPDATE delivery d
    SET state = 'held', holder = $7, attempts = d.attempts + 1, due_at = now() + make_interval(secs => $8)
    FROM taken WHERE d.issuer_id = taken.issuer_id AND d.notification_id = taken.notification_id
    RETURNING d.*
)
SELECT held.notification_id, held.lane, held.about, held.attempts, held.attempts_max, held.wording,
       held.correlation,
       c.credential_id, c.learner_id, c.achievement_id, c.achievement_version, c.achievement_name,
       c.issuer_name, c.contact, c.signed_at, c.revoked_at, c.revocation_reason,
       held.issuer_id, s.subscription_id, s.url, s.events, s.state, s.secret, s.retiring_secret,
       s.retiring_until, s.created_at
FROM held
JOIN credential c ON c.issuer_id = held.issuer_id AND c.credential_id = held.credential_id
LEFT JOIN subscription s ON s.issuer_id = held.issuer_id AND s.subscription_id = held.subscription_id
"""


async def take(
    connection: Connection,
    channel: Channel,
    holder: UUID,
    *,
    lane_max: int,
    busy: Mapping[str, int],
    after: str,
    deliveries_max: int,
    lease_s: float,
) -> list[Held]:
    """Take deliveries that are due, or whose holder's lease ran out, for `lease_s` seconds.

    In turns from each lane that follows `after` in the round, at most `lane_max` minus what is `busy` from
    one: a lane is a subscription, or one tenant's mail. Two couriers never take the same one.
    """
    rows = await connection.fetch(
        TAKE, channel, lane_max, list(busy), list(busy.values()), after, deliveries_max, holder, lease_s
    )
    return [_held(row, holder) for row in rows]


def _held(row: Any, holder: UUID) -> Held:
    return Held(
        issuer_id=row["issuer_id"],
        notification_id=str(row["notification_id"]),
        lane=row["lane"],
        about=row["about"],
        attempts=row["attempts"],
        attempts_max=row["attempts_max"],
        wording=row["wording"],
        holder=holder,
        correlation=row["correlation"],
        credential=CredentialFacts(
            str(row["credential_id"]),
            str(row["learner_id"]),
            str(row["achievement_id"]),
            row["achievement_version"],
            row["achievement_name"],
            row["issuer_name"],
            row["contact"],
            row["signed_at"],
            row["revoked_at"],
            row["revocation_reason"],
        ),
        subscription=None if row["subscription_id"] is None else subscription_from_row(row),
    )


PENDING = """
SELECT count(*) FROM delivery
WHERE channel = $1 AND state IN ('due', 'held') AND (due_at <= now() OR state = 'held')
"""


async def pending(connection: Connection, channel: Channel) -> int:
    """Return how many deliveries anyone may take now, with those that some courier has in hand."""
    return int(await connection.fetchval(PENDING, channel))


LOCK = """
SELECT d.issuer_id, d.notification_id, d.state, d.holder, d.attempts
FROM unnest($1::text[], $2::uuid[]) AS wanted (issuer_id, notification_id)
JOIN delivery d ON d.issuer_id = wanted.issuer_id AND d.notification_id = wanted.notification_id
ORDER BY d.issuer_id, d.notification_id FOR UPDATE OF d
"""


async def lock(connection: Connection, refs: Sequence[DeliveryRef]) -> dict[DeliveryRef, Standing]:
    """Lock deliveries, in the order of their ids, and return where each stands."""
    rows = await connection.fetch(
        LOCK, [issuer_id for issuer_id, _ in refs], [notification_id for _, notification_id in refs]
    )
    return {
        (row["issuer_id"], str(row["notification_id"])): Standing(
            row["state"], row["holder"], row["attempts"]
        )
        for row in rows
    }


SETTLE = """
UPDATE delivery d SET state = r.state, due_at = r.due_at, last_reason = r.reason, holder = NULL
FROM unnest($1::text[], $2::uuid[], $3::text[], $4::timestamptz[], $5::text[])
  AS r (issuer_id, notification_id, state, due_at, reason)
WHERE d.issuer_id = r.issuer_id AND d.notification_id = r.notification_id
"""


async def settle(connection: Connection, settled: Sequence[Settled]) -> None:
    """Write new states of deliveries that are locked."""
    if settled:
        await connection.execute(
            SETTLE,
            [each.ref[0] for each in settled],
            [each.ref[1] for each in settled],
            [each.state for each in settled],
            [each.due_at for each in settled],
            [each.reason for each in settled],
        )


LIST = """
SELECT notification_id, channel, about, credential_id, subscription_id, state, attempts, due_at, last_reason,
       requested_at
FROM delivery WHERE issuer_id = $1 AND credential_id = $2
ORDER BY requested_at DESC, notification_id LIMIT $3
"""


async def of_credential(connection: Connection, issuer_id: str, credential_id: UUID) -> list[Delivery]:
    """Return a credential's deliveries, newest first, at most DELIVERIES_LISTED_MAX."""
    rows = await connection.fetch(LIST, issuer_id, credential_id, DELIVERIES_LISTED_MAX)
    return [_delivery(row) for row in rows]


ASK_AGAIN = """
UPDATE delivery
SET state = 'due', due_at = $3, attempts_max = greatest(attempts_max, attempts + 1)
WHERE issuer_id = $1 AND notification_id = $2 AND state IN ('due', 'gave-up')
"""
ONE = """
SELECT notification_id, channel, about, credential_id, subscription_id, state, attempts, due_at, last_reason,
       requested_at
FROM delivery WHERE issuer_id = $1 AND notification_id = $2 FOR UPDATE
"""


async def ask_again(
    connection: Connection, issuer_id: str, notification_id: UUID, at: datetime
) -> Delivery | None:
    """Make a waiting or abandoned delivery due at `at`, with one attempt more if all are used up.

    Returns it as it stands then (one that is held or sent stays as it is), or None if there is none.
    """
    await connection.execute(ASK_AGAIN, issuer_id, notification_id, at)
    row = await connection.fetchrow(ONE, issuer_id, notification_id)
    return None if row is None else _delivery(row)


def _delivery(row: Any) -> Delivery:
    subscription_id = row["subscription_id"]
    return Delivery(
        str(row["notification_id"]),
        row["channel"],
        row["about"],
        str(row["credential_id"]),
        None if subscription_id is None else str(subscription_id),
        row["state"],
        row["attempts"],
        row["due_at"],
        row["last_reason"],
        row["requested_at"],
    )
