"""The SQL of holdings: which credential of an achievement a learner holds. The row is also their lock.

Not a read model: whoever issues locks the row first, so that two passes of one learner take turns, and writes
it in the same transaction. Replaying the log leaves it as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.issuer.store import columns_of
from shared.eventstore.copying import copied
from shared.eventstore.log import Connection

HoldingKey = tuple[str, str, str]
"""(issuer_id, learner_id, achievement_id)"""

HOLDING = ("issuer_id", "learner_id", "achievement_id", "credential_id")
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


async def lock_holdings(
    connection: Connection, credentials: Mapping[HoldingKey, str]
) -> dict[HoldingKey, str | None]:
    """Lock what each learner holds of each achievement, in sorted order; opened where there was nothing.

    `credentials` names what each is opened with: what will be held, so that it is not written twice. Returns
    what is held. None stands for what is new, where all are: what is new among others is the one that it was
    opened with, of which the log knows nothing yet.
    """
    wanted = sorted(credentials)
    if await copied(connection, "holding", HOLDING, [(*key, credentials[key]) for key in wanted]):
        return dict.fromkeys(wanted)
    columns = columns_of(wanted, 3)
    await connection.execute(OPEN_HOLDINGS, *columns, [credentials[key] for key in wanted])
    return {
        (row["issuer_id"], str(row["learner_id"]), str(row["achievement_id"])): str(row["credential_id"])
        for row in await connection.fetch(LOCK_HOLDINGS, *columns)
    }


HOLD = """
UPDATE holding SET credential_id = newest.credential_id
FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[])
  AS newest (issuer_id, learner_id, achievement_id, credential_id)
WHERE holding.issuer_id = newest.issuer_id AND holding.learner_id = newest.learner_id
  AND holding.achievement_id = newest.achievement_id
"""


async def hold(connection: Connection, credentials: Mapping[HoldingKey, str]) -> None:
    """Let each learner hold another credential of each achievement; the holdings are locked."""
    if credentials:
        keys = list(credentials)
        await connection.execute(HOLD, *columns_of(keys, 3), [credentials[key] for key in keys])


SUPERSEDED_NOTHING = """
SELECT issuer_id, credential_id FROM credential JOIN unnest($1::text[], $2::uuid[])
  AS withdrawn (issuer_id, credential_id) USING (issuer_id, credential_id)
WHERE signed_at IS NULL AND supersedes IS NOT NULL
"""
GIVEN_BACK = """
UPDATE holding SET credential_id = successor.supersedes
FROM unnest($1::text[], $2::uuid[]) AS withdrawn (issuer_id, credential_id)
JOIN credential successor USING (issuer_id, credential_id)
WHERE holding.issuer_id = successor.issuer_id AND holding.learner_id = successor.learner_id
  AND holding.achievement_id = successor.achievement_id AND holding.credential_id = successor.credential_id
"""


async def give_back(connection: Connection, withdrawn: Sequence[tuple[str, str]]) -> None:
    """Let a learner hold the older credential again whose successor was withdrawn before it was signed.

    `withdrawn` are (issuer_id, credential_id). What is held is looked at only where it may change: who
    withdraws a signed credential has not locked it.
    """
    if not withdrawn:
        return
    if found := await connection.fetch(SUPERSEDED_NOTHING, *columns_of(withdrawn, 2)):
        await connection.execute(
            GIVEN_BACK, [row["issuer_id"] for row in found], [row["credential_id"] for row in found]
        )
