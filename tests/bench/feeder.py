"""Sends N assessments in one NDJSON upload: `python -m tests.bench.feeder ADDRESS NUMBER`, key on stdin.

A process of its own, so that its work is not counted as the house's.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import httpx2
import orjson

from services.demo.sample import ACHIEVEMENT_ID, sample_assessment

CHUNK_ROWS = 500
WAIT_S = 1_800.0
PASSED = b'"outcome":"passed"'


def rows(number: int) -> list[bytes]:
    """Return the lines, each of another learner, all passing."""
    made = []
    for index in range(number):
        row = sample_assessment(ACHIEVEMENT_ID)
        row["assessment_id"] = f"bench-{index:07d}"
        row["learner"] = {
            "reference": f"B{index:07d}",
            "name": f"Bench Learner {index}",
            "email": f"bench{index}@example.org",
        }
        made.append(orjson.dumps(row) + b"\n")
    return made


async def feed(address: str, number: int, token: str) -> int:
    """Upload and return how many passed."""
    lines = rows(number)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)

    async def chunks() -> AsyncIterator[bytes]:
        for begin in range(0, len(lines), CHUNK_ROWS):
            yield b"".join(lines[begin : begin + CHUNK_ROWS])

    passed, rest = 0, b""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
    async with (
        httpx2.AsyncClient(timeout=WAIT_S, trust_env=False) as client,
        client.stream(
            "POST", f"{address}/assessor/assessments/bulk", content=chunks(), headers=headers
        ) as answer,
    ):
        answer.raise_for_status()
        async for piece in answer.aiter_raw():
            whole, _, rest = (rest + piece).rpartition(b"\n")
            passed += whole.count(PASSED)
    return passed


if __name__ == "__main__":
    key = sys.stdin.readline().strip()
    print(asyncio.run(feed(sys.argv[1], int(sys.argv[2]), key)), flush=True)
