"""Rows that follow from events: what is known of credentials, and the deliveries that were asked for.

`credential` may be forgotten and built again from the issuer's log at any time, in one transaction, by the
code that runs live. `delivery` is truth and never rebuilt: it knows what has left the house, and a replay
that made it anew would tell everyone everything again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.notifier.domain import ATTEMPTS_MAX
from shared.contracts.credentials import CredentialRevoked, CredentialSigned
from shared.contracts.event import Event
from shared.contracts.notifications import NotificationRequested
from shared.eventstore import Recorded
from shared.eventstore.copying import copied
from shared.eventstore.log import Connection

REBUILT_FROM: Final[tuple[type[Event], ...]] = (CredentialSigned, CredentialRevoked)
"""What a replay hands to `keep_credentials`, in order, after `forget_all`."""

CREDENTIAL_COLUMNS: Final = (
    *("issuer_id", "credential_id", "learner_id", "achievement_id", "achievement_version"),
    *("achievement_name", "issuer_name", "contact", "signed_at"),
)
SIGNED = """
INSERT INTO credential (issuer_id, credential_id, learner_id, achievement_id, achievement_version,
                        achievement_name, issuer_name, contact, signed_at)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[], $5::int[], $6::text[], $7::text[],
                     $8::text[], $9::timestamptz[])
ON CONFLICT DO NOTHING
"""
FORGET_ALL = """
LOCK TABLE credential, api_key IN SHARE ROW EXCLUSIVE MODE;
DELETE FROM credential; DELETE FROM api_key
"""
REVOKED = """
UPDATE credential c SET revoked_at = r.revoked_at, revocation_reason = r.reason
FROM unnest($1::text[], $2::uuid[], $3::timestamptz[], $4::text[])
  AS r (issuer_id, credential_id, revoked_at, reason)
WHERE c.issuer_id = r.issuer_id AND c.credential_id = r.credential_id AND c.revoked_at IS NULL
"""
DELIVERY_COLUMNS: Final = (
    *("issuer_id", "notification_id", "channel", "lane", "about", "event_id", "credential_id", "learner_id"),
    *("subscription_id", "state", "attempts_max", "due_at", "requested_at", "wording", "correlation"),
)


async def forget_all(connection: Connection) -> None:
    """Empty the read models, before a replay fills them again in the same transaction. Writers wait."""
    await connection.execute(FORGET_ALL)


async def keep_credentials(connection: Connection, batch: Sequence[Recorded]) -> None:
    """Write what a batch says about credentials: the same few statements, the same result when repeated."""
    signed = [
        (
            each.issuer_id,
            event.credential_id,
            event.learner_id,
            event.achievement_id,
            event.achievement_version,
            event.achievement_name,
            event.issuer_name,
            event.contact,
            event.signed_at,
        )
        for each in batch
        if isinstance(event := each.event, CredentialSigned)
    ]
    # In any order: a credential is signed once, and whoever writes it has claimed that event.
    if signed and not await copied(connection, "credential", CREDENTIAL_COLUMNS, signed):
        await connection.execute(SIGNED, *zip(*signed, strict=True))
    revoked = [(each.issuer_id, each.event) for each in batch if isinstance(each.event, CredentialRevoked)]
    if revoked:
        await connection.execute(
            REVOKED,
            [issuer_id for issuer_id, _ in revoked],
            [event.credential_id for _, event in revoked],
            [event.revoked_at for _, event in revoked],
            [event.reason for _, event in revoked],
        )


async def known_credentials(
    connection: Connection, credentials: Sequence[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Return which of the (issuer_id, credential_id) have been signed, as far as is known here."""
    if not credentials:
        return set()
    rows = await connection.fetch(
        "SELECT c.issuer_id, c.credential_id FROM unnest($1::text[], $2::uuid[])"
        " AS wanted (issuer_id, credential_id) JOIN credential c"
        " ON c.issuer_id = wanted.issuer_id AND c.credential_id = wanted.credential_id",
        [issuer_id for issuer_id, _ in credentials],
        [credential_id for _, credential_id in credentials],
    )
    return {(row["issuer_id"], str(row["credential_id"])) for row in rows}


async def open_deliveries(connection: Connection, requested: Sequence[Recorded]) -> None:
    """Add a delivery, due at once, for each notification.requested that was just appended.

    Copied rather than inserted: that takes half the time of encoding a dozen arrays. A delivery that is there
    already breaks the transaction, since the notification's stream would have to be older than its row.
    """
    rows = [
        (
            each.issuer_id,
            event.notification_id,
            event.channel,
            f"{each.issuer_id}/{event.subscription_id or event.channel}",
            event.about,
            event.event_id,
            event.credential_id,
            event.learner_id,
            event.subscription_id,
            "due",
            ATTEMPTS_MAX,
            event.requested_at,
            event.requested_at,
            event.wording,
            each.meta.correlation,
        )
        for each in requested
        if isinstance(event := each.event, NotificationRequested)
    ]
    if rows:
        await connection.copy_records_to_table("delivery", records=rows, columns=DELIVERY_COLUMNS)
