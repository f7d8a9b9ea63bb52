"""The SQL of holdings: which credential of an achievement a learner holds. The row is also their lock.

Not a read model: whoever issues locks the row first, so that two passes of one learner take turns, and writes
it in the same transaction. Replaying the log leaves it as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from services.issuer.store import columns_of
from shared.eventstore.log import Connection

HoldingKey = tuple[str, str, str]
"""(issuer_id, learner_id, achievement_id)"""

OPEN_HOLDINGS = """
INSERT INTO holding (issuer_id, learner_id, achievement_id, credential_id)
SELECT issuer_id, learner_id, achievement_id, credential_id
FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[])
  AS wanted (issuer_id, learner_id, achievement_id, credential_id)
ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING
"""
LOCK_HOLDINGS = """
SELECT h.issuer_id, h.learner_id, h.achievement_id, h.credential_id
FROM unnest($1::text[], $2::uuid[], $3::uuid[]) AS wanted (issuer_id, learner_id, achievement_id)
JOIN holding h USING (issuer_id, learner_id, achievement_id)
ORDER BY 1, 2, 3 FOR UPDATE OF h
"""
HOLD = """
UPDATE holding SET credential_id = newest.credential_id
FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[])
  AS newest (issuer_id, learner_id, achievement_id, credential_id)
WHERE holding.issuer_id = newest.issuer_id AND holding.learner_id = newest.learner_id
  AND holding.achievement_id = newest.achievement_id
"""


async def lock_holdings(
    connection: Connection, credentials: Mapping[HoldingKey, str]
) -> dict[HoldingKey, str | None]:
    """Lock what each learner holds of each achievement, in sorted order; opened where there was nothing.

    `credentials` names what each is opened with: what will be held, so that it is written once. Returns what
    is held; None where all of them are new. What is new among others is the one that it was opened with, of
    which the log knows nothing: only the log tells it from one that was issued before.
    """
    wanted = list(credentials)
    columns = columns_of(wanted, 3)
    opened = await connection.execute(OPEN_HOLDINGS, *columns, list(credentials.values()))
    if opened == f"INSERT 0 {len(wanted)}":
        return dict.fromkeys(wanted)
    return {
        (row["issuer_id"], str(row["learner_id"]), str(row["achievement_id"])): str(row["credential_id"])
        for row in await connection.fetch(LOCK_HOLDINGS, *columns)
    }


async def hold(connection: Connection, credentials: Mapping[HoldingKey, str]) -> None:
    """Let each learner hold another credential of each achievement; the holdings are locked."""
    if credentials:
        await connection.execute(HOLD, *columns_of(list(credentials), 3), list(credentials.values()))
