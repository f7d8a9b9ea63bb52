"""The assessor's read models, written from events alone: the same code live and in a replay.

Nothing here asks whether it may: an event happened. Every function may see an event twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.contracts.achievements import AchievementPublished
from shared.contracts.assessments import AssessmentSubmitted
from shared.contracts.learners import LearnerErased
from shared.eventstore import Recorded
from shared.eventstore.copying import copied
from shared.eventstore.log import Connection

ATTEMPT_COLUMNS = ("issuer_id", "learner_id", "achievement_id", "taken")
COUNT_ATTEMPTS = """
INSERT INTO attempt (issuer_id, learner_id, achievement_id, taken)
SELECT issuer_id, learner_id, achievement_id, max(attempt)
FROM unnest($1::text[], $2::text[], $3::text[], $4::int[])
  AS submitted (issuer_id, learner_id, achievement_id, attempt)
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
ON CONFLICT (issuer_id, learner_id, achievement_id)
  DO UPDATE SET taken = greatest(attempt.taken, EXCLUDED.taken)
"""
FORGET_ATTEMPTS = """
DELETE FROM attempt USING unnest($1::text[], $2::text[]) AS erased (issuer_id, learner_id)
WHERE attempt.issuer_id = erased.issuer_id AND attempt.learner_id = erased.learner_id
"""
KEEP_ACHIEVEMENTS = """
INSERT INTO achievement (issuer_id, achievement_id, version, definition)
SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::text[]::jsonb[]) ON CONFLICT DO NOTHING
"""
FORGET_ALL = """
LOCK TABLE attempt, achievement, api_key IN SHARE ROW EXCLUSIVE MODE;
DELETE FROM attempt; DELETE FROM achievement; DELETE FROM api_key
"""


async def forget_all(connection: Connection) -> None:
    """Empty the read models for a replay. Readers see the old rows until it commits; writers wait."""
    await connection.execute(FORGET_ALL)


async def count_attempts(connection: Connection, batch: Sequence[Recorded]) -> None:
    """Project assessment.submitted and learner.erased into `attempt`."""
    taken = [
        (recorded.issuer_id, event.learner_id, event.achievement_id, event.attempt)
        for recorded in batch
        if isinstance(event := recorded.event, AssessmentSubmitted)
    ]
    # In any order: the learners' rows are held, so nobody else counts these.
    first, later = [row for row in taken if row[3] == 1], [row for row in taken if row[3] != 1]
    if first and not await copied(connection, "attempt", ATTEMPT_COLUMNS, first):
        later = taken  # some were seen before
    if later:
        await connection.execute(COUNT_ATTEMPTS, *([row[part] for row in later] for part in range(4)))
    erased = [
        (recorded.issuer_id, event.learner_id)
        for recorded in batch
        if isinstance(event := recorded.event, LearnerErased)
    ]
    if erased:
        await connection.execute(FORGET_ATTEMPTS, *([row[part] for row in erased] for part in range(2)))


async def keep_achievements(connection: Connection, batch: Sequence[Recorded]) -> None:
    """Project achievement.published into `achievement`. A version never changes, so the first row stays."""
    published = [
        (recorded.issuer_id, event.achievement_id, event.version, event.definition.model_dump_json())
        for recorded in batch
        if isinstance(event := recorded.event, AchievementPublished)
    ]
    if published:
        await connection.execute(KEEP_ACHIEVEMENTS, *([row[part] for row in published] for part in range(4)))
