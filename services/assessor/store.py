"""The assessor's own tables, read and written: which learner a reference stands for, and the bars.

A row of `learner` is the lock of everything that is counted or forgotten about that learner: a submission
holds it from mapping the reference to the commit, and erasure takes it first. Rows are always locked and
inserted in the order of the primary key, or two batches could wait for each other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from shared.errors import StaleStream
from shared.eventstore.log import Connection

Reference = tuple[str, bytes]
"""(issuer_id, keyed hash of the caller's reference or of the e-mail)"""
AchievementKey = tuple[str, str, int | None]
"""(issuer_id, achievement_id, version; None: the newest)"""
AttemptKey = tuple[str, str, str]
"""(issuer_id, learner_id, achievement_id)"""

LOCK_LEARNERS = """
SELECT l.issuer_id, l.reference_hmac, l.learner_id
FROM unnest($1::text[], $2::bytea[]) AS wanted (issuer_id, reference_hmac)
JOIN learner l USING (issuer_id, reference_hmac)
ORDER BY l.issuer_id, l.reference_hmac FOR UPDATE OF l
"""
LEARNER_COLUMNS = ("issuer_id", "reference_hmac", "learner_id", "created_at")
FIND_LEARNER = "SELECT learner_id FROM learner WHERE issuer_id = $1 AND reference_hmac = $2"
DELETE_LEARNER = "DELETE FROM learner WHERE issuer_id = $1 AND learner_id = $2 RETURNING 1"
DELETE_REFERENCES = """
DELETE FROM learner USING unnest($1::text[], $2::bytea[]) AS forgotten (issuer_id, reference_hmac)
WHERE learner.issuer_id = forgotten.issuer_id AND learner.reference_hmac = forgotten.reference_hmac
"""

ATTEMPTS_TAKEN = """
SELECT a.issuer_id, a.learner_id, a.achievement_id, a.taken
FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted (issuer_id, learner_id, achievement_id)
JOIN attempt a USING (issuer_id, learner_id, achievement_id)
"""
ACHIEVEMENTS = """
SELECT wanted.issuer_id, wanted.achievement_id, wanted.version AS asked,
       newest.version AS newest, coalesce(wanted.version, newest.version) AS version, pinned.definition
FROM unnest($1::text[], $2::text[], $3::int[]) AS wanted (issuer_id, achievement_id, version)
CROSS JOIN LATERAL (
  SELECT max(a.version) AS version FROM achievement a
  WHERE a.issuer_id = wanted.issuer_id AND a.achievement_id = wanted.achievement_id
) AS newest
LEFT JOIN achievement pinned
  ON pinned.issuer_id = wanted.issuer_id AND pinned.achievement_id = wanted.achievement_id
 AND pinned.version = coalesce(wanted.version, newest.version)
"""


@dataclass(frozen=True, slots=True)
class KnownAchievement:
    """What is known of a version that was asked for; `definition` is its JSON, None where it is not known."""

    version: int | None
    newest: int | None
    definition: str | None


async def lock_learners(connection: Connection, references: Collection[Reference]) -> dict[Reference, str]:
    """Return the learner id of each reference that is known, and hold those rows to the commit."""
    rows = await connection.fetch(
        LOCK_LEARNERS,
        [issuer_id for issuer_id, _ in references],
        [reference_hmac for _, reference_hmac in references],
    )
    return {(row["issuer_id"], row["reference_hmac"]): row["learner_id"] for row in rows}


async def add_learners(connection: Connection, learners: Mapping[Reference, str], at: datetime) -> None:
    """Map new references to learner ids. Raises StaleStream if another transaction mapped one meanwhile."""
    rows = [(*reference, learner_id, at) for reference, learner_id in sorted(learners.items())]
    try:
        await connection.copy_records_to_table("learner", records=rows, columns=LEARNER_COLUMNS)
    except asyncpg.UniqueViolationError as taken:
        raise StaleStream("A learner was mapped by someone else at this moment.") from taken


async def find_learner(connection: Connection, reference: Reference) -> str | None:
    """Return the learner id that a reference stands for."""
    found: str | None = await connection.fetchval(FIND_LEARNER, *reference)
    return found


async def delete_learner(connection: Connection, issuer_id: str, learner_id: str) -> bool:
    """Forget what reference stood for a learner, once nobody else holds the row. False if there is none."""
    return bool(await connection.fetchval(DELETE_LEARNER, issuer_id, learner_id))


async def delete_references(connection: Connection, references: Collection[Reference]) -> None:
    """Delete mappings whose rows are held already."""
    await connection.execute(
        DELETE_REFERENCES,
        [issuer_id for issuer_id, _ in references],
        [reference_hmac for _, reference_hmac in references],
    )


async def attempts_taken(connection: Connection, attempts: Collection[AttemptKey]) -> dict[AttemptKey, int]:
    """Return how many attempts were taken; only true while the learners' rows are held."""
    rows = await connection.fetch(ATTEMPTS_TAKEN, *([key[part] for key in attempts] for part in range(3)))
    return {(row["issuer_id"], row["learner_id"], row["achievement_id"]): row["taken"] for row in rows}


async def achievements(
    connection: Connection, wanted: Collection[AchievementKey]
) -> dict[AchievementKey, KnownAchievement]:
    """Return what is known of each wanted version, in one query."""
    rows = await connection.fetch(ACHIEVEMENTS, *([key[part] for key in wanted] for part in range(3)))
    return {
        (row["issuer_id"], row["achievement_id"], row["asked"]): KnownAchievement(
            row["version"], row["newest"], row["definition"]
        )
        for row in rows
    }
