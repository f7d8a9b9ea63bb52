"""Sends N assessments: `python -m tests.bench.feeder ADDRESS NUMBER RATE`, key on stdin.

One NDJSON upload with a RATE of 0, else a request for each, RATE of them a second.

A process of its own, so that its work is not counted as the house's.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence

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


async def feed(address: str, number: int, rate: int, token: str) -> int:
    """Send all of them when told to, and return how many passed."""
    lines = rows(number)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    return await (paced(address, lines, rate, token) if rate else upload(address, lines, token))


async def upload(address: str, lines: Sequence[bytes], token: str) -> int:
    """Send `lines` as one body."""

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


async def paced(address: str, lines: Sequence[bytes], rate: int, token: str) -> int:
    """Send each line on its own, at its moment, whether or not the earlier ones were answered."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    async with httpx2.AsyncClient(timeout=WAIT_S, trust_env=False, headers=headers) as client:

        async def send(line: bytes) -> bool:
            answer = await client.post(f"{address}/assessor/assessments", content=line)
            return PASSED in answer.content

        loop = asyncio.get_running_loop()
        began, sent = loop.time(), []
        for place, line in enumerate(lines):
            await asyncio.sleep(began + place / rate - loop.time())
            sent.append(asyncio.create_task(send(line)))
        return sum(await asyncio.gather(*sent))


if __name__ == "__main__":
    key = sys.stdin.readline().strip()
    print(asyncio.run(feed(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), key)), flush=True)
