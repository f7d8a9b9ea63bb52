"""What a batch costs does not grow with what waits or with what was written: plans of the hot statements."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson

from shared.contracts.learners import LearnerErased
from shared.database import Database
from shared.eventstore import Append, Meta, log

META = Meta("operator:cli", "c-1")
AT = datetime(2026, 3, 1, tzinfo=UTC)
BEFORE = 20
GROWN = 3_000
BATCH = 10
GENERIC_FROM = 6
"""The fifth execution is the last one that PostgreSQL plans for its arguments; then it may keep a plan."""


async def written(assessor: Database, number: int) -> list[str]:
    async with assessor.session() as session:
        events = [LearnerErased(learner_id=str(uuid4()), erased_at=AT) for _ in range(number)]
        await session.append([Append("acme", event.stream, 0, (event,), META) for event in events])
    return [event.stream for event in events]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


async def test_a_poll_reads_no_more_of_the_log_than_its_batch(assessor: Database) -> None:
    await written(assessor, GROWN)
    async with assessor.connection() as connection:
        statement = log.READ_STORED.format(table="assessor.event")
        (answer,) = await connection.fetchrow(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}",
            0,
            [LearnerErased.TYPE],
            BATCH,
            log.SCAN_POSITIONS_MAX,
            True,
        )
    plan = orjson.loads(answer)[0]["Plan"]
    assert plan["Actual Rows"] == BATCH
    assert max(node["Actual Rows"] * node["Actual Loops"] for node in nodes(plan)) == BATCH


async def test_a_statement_that_was_planned_while_its_table_was_small_looks_up_keys_for_ever(
    assessor: Database,
) -> None:
    streams = await written(assessor, BEFORE)
    keys = ["acme"] * BATCH, streams[:BATCH]
    async with assessor.connection() as connection:
        await connection.execute(f"PREPARE loading (text[], text[]) AS {log.LOAD}")
        explain = "EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE loading ({}, {})".format(
            *(f"'{{{','.join(part)}}}'" for part in keys)
        )
        for _ in range(GENERIC_FROM):
            await connection.fetch(explain)
        await written(assessor, GROWN)
        (answer,) = await connection.fetchrow(explain)
    plan = orjson.loads(answer)[0]["Plan"]
    assert plan["Actual Rows"] == BATCH
    assert not [node for node in nodes(plan) if node["Node Type"] == "Seq Scan"]
