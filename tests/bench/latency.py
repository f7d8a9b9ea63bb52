"""From the assessment to the signature, at a steady pace: what a learner waits when nothing is queued.

Both moments are in the ids of the events (UUIDv7): made just before their transactions were committed.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Sequence
from uuid import UUID

from shared import clock
from tests.bench.pipeline import POLL_EVERY_S, SETTLE_WAIT_S, Bench, at_work, fed, prepared, start, uploaded

PER_SECOND = 100
SECONDS = 20

SIGNED = "SELECT count(*) FROM issuer.event WHERE type = 'credential.signed.v1'"
JOURNEYS = """
SELECT (issued.meta ->> 'causation')::uuid AS assessed, signed.id AS signed
FROM issuer.event signed JOIN issuer.event issued ON issued.id = (signed.meta ->> 'causation')::uuid
WHERE signed.type = 'credential.signed.v1'
"""


async def milliseconds(suite: str, bus: str, processes: Sequence[Sequence[str]]) -> tuple[float, float]:
    """Return the median and the 99th percentile of the way from assessment to signature."""
    number = PER_SECOND * SECONDS
    async with prepared(suite, bus) as bench, at_work(bench, processes):
        async with fed(bench, number, PER_SECOND) as feeder:
            await start(feeder)
            await uploaded(feeder, number)
        waits = await _waits(bench, number)
    hundredths = statistics.quantiles(waits, n=100)
    return hundredths[49], hundredths[98]


async def _waits(bench: Bench, number: int) -> list[float]:
    async with asyncio.timeout(SETTLE_WAIT_S), bench.asking() as connection:
        while await connection.fetchval(SIGNED) < number:  # noqa: ASYNC110 - other processes work
            await asyncio.sleep(POLL_EVERY_S)
        rows = await connection.fetch(JOURNEYS)
    return [1000 * (_moment(row["signed"]) - _moment(row["assessed"])) for row in rows]


def _moment(event_id: UUID) -> float:
    made = clock.uuid7_instant(event_id)
    assert made is not None, "an event's id is a UUIDv7"
    return made.timestamp()
