"""The intake of bulk bodies on a real Batcher: slots, tokens, retries, and one row's fault is one row's."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from services.assessor.api.bulk import BULKS_MAX, BULKS_PER_TENANT_MAX, Bulk, BulkLimits, Intake
from services.assessor.api.examples import LEVELS
from services.assessor.api.rows import NdjsonRows
from services.assessor.handlers.submission import Answer, Submission
from shared.batching import Batcher
from shared.errors import MicrocredError, TooMany, Unavailable
from shared.eventstore import Meta
from shared.limits import RateLimit

PLENTY = RateLimit(1e9, 10**9)
Flush = Callable[[Sequence[Submission]], Any]


def answer_to(submission: Submission) -> Answer:
    command = submission.command
    return Answer(command.assessment_id, True, "87.50", command.achievement_id, 1, "learner", 1, False)


async def agree(batch: Sequence[Submission]) -> list[Answer | MicrocredError]:
    return [answer_to(submission) for submission in batch]


def rows(numbers: range) -> list[bytes]:
    return [json.dumps(LEVELS | {"assessment_id": f"A-{number}"}).encode() + b"\n" for number in numbers]


async def arriving(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def bulk(tenant: str = "alpha") -> Bulk:
    return Bulk(tenant, "alphakey", Meta("api-key:alphakey", "test"), NdjsonRows())


async def taken(
    pieces: Sequence[bytes], flush: Flush = agree, rate: RateLimit = PLENTY, **limits: Any
) -> list[dict[str, Any]]:
    async with Batcher[Submission, Answer](flush) as batcher:
        intake = Intake(batcher.ask, rate, BulkLimits(**limits))
        answer = b"".join([piece async for piece in intake.take(bulk(), arriving(pieces))])
    return [json.loads(line) for line in answer.splitlines()]


async def test_no_more_rows_are_in_flight_than_the_limit() -> None:
    most = 0

    async def flush(batch: Sequence[Submission]) -> list[Answer | MicrocredError]:
        nonlocal most
        most = max(most, len(batch))
        return await agree(batch)

    lines = await taken(rows(range(200)), flush, rows_in_flight_max=7)
    assert len(lines) == 200
    assert 1 < most <= 7


async def test_rows_past_the_limit_are_not_read_and_the_last_line_says_so() -> None:
    lines = await taken(rows(range(6)), rows_max=3)
    assert [line["outcome"] for line in lines] == ["passed"] * 3 + ["rejected"]
    assert (lines[3]["line"], lines[3]["problem"]["code"]) == (4, "rows-too-many")


async def test_rows_cost_a_fraction_of_a_request() -> None:
    rate = RateLimit(1.0, 10, monotonic=lambda: 0.0)
    await taken(rows(range(200)), rate=rate, rows_per_token=50)
    rate.spend("alphakey", 6)
    with pytest.raises(TooMany):
        rate.spend("alphakey", 1)


async def test_past_the_rate_limit_rows_wait_and_none_is_refused() -> None:
    now = 0.0

    def monotonic() -> float:
        nonlocal now
        now += 0.001
        return now

    lines = await taken(rows(range(40)), rate=RateLimit(500.0, 1, monotonic), rows_per_token=1)
    assert [line["outcome"] for line in lines] == ["passed"] * 40


async def test_what_is_unavailable_for_a_moment_is_asked_again() -> None:
    refused: set[str] = set()

    async def flush(batch: Sequence[Submission]) -> list[Answer | MicrocredError]:
        answers: list[Answer | MicrocredError] = []
        for submission in batch:
            first = submission.command.assessment_id not in refused
            refused.add(submission.command.assessment_id)
            answers.append(Unavailable("later", 0.0) if first else answer_to(submission))
        return answers

    assert [line["outcome"] for line in await taken(rows(range(20)), flush)] == ["passed"] * 20


async def test_a_lane_that_lags_long_costs_no_row() -> None:
    asked = 0

    async def flush(batch: Sequence[Submission]) -> list[Answer | MicrocredError]:
        nonlocal asked
        asked += 1
        return [Unavailable("later", 0.0) for _ in batch] if asked < 50 else await agree(batch)

    assert [line["outcome"] for line in await taken(rows(range(20)), flush)] == ["passed"] * 20
    assert asked >= 50


async def test_what_stays_unavailable_is_told_as_such_and_no_later_row_waits_as_long_again() -> None:
    asked: Counter[str] = Counter()

    async def flush(batch: Sequence[Submission]) -> list[Answer | MicrocredError]:
        asked.update(submission.command.assessment_id for submission in batch)
        return [Unavailable("later", 0.0) for _ in batch]

    lines = await taken(rows(range(3)), flush, rows_in_flight_max=1, unavailable_wait_s_max=0.05)
    assert [(line["outcome"], line["problem"]["status"]) for line in lines] == [("rejected", 503)] * 3
    assert asked["A-0"] > 1
    assert asked["A-1"] == asked["A-2"] == 1


async def test_a_fault_of_the_service_in_one_row_leaves_the_others_alone() -> None:
    async def flush(batch: Sequence[Submission]) -> list[Answer | MicrocredError]:
        if any(submission.command.assessment_id == "A-7" for submission in batch):
            raise ZeroDivisionError
        return await agree(batch)

    lines = await taken(rows(range(20)), flush)
    assert [line["outcome"] for line in lines].count("passed") == 19
    assert (lines[7]["assessment_id"], lines[7]["problem"]["status"]) == ("A-7", 500)


async def test_bulk_submissions_at_once_are_limited_by_tenant_and_in_all() -> None:
    opened = asyncio.Event()

    async def flush(batch: Sequence[Submission]) -> list[Answer | MicrocredError]:
        await opened.wait()
        return await agree(batch)

    async with Batcher[Submission, Answer](flush) as batcher:
        intake = Intake(batcher.ask, PLENTY, BulkLimits())

        async def one(tenant: str) -> bytes:
            return b"".join([piece async for piece in intake.take(bulk(tenant), arriving(rows(range(1))))])

        tenants = ["alpha"] * BULKS_PER_TENANT_MAX + [f"tenant-{n}" for n in range(BULKS_MAX)]
        waiting = [asyncio.create_task(one(tenant)) for tenant in tenants[:BULKS_PER_TENANT_MAX]]
        await asyncio.sleep(0)
        with pytest.raises(TooMany):
            await one("alpha")
        waiting += [asyncio.create_task(one(tenant)) for tenant in tenants[BULKS_PER_TENANT_MAX:BULKS_MAX]]
        await asyncio.sleep(0)
        with pytest.raises(TooMany):
            await one("omega")
        opened.set()
        assert all(b'"passed"' in answer for answer in await asyncio.gather(*waiting))
        assert b'"passed"' in await one("alpha")


async def test_a_caller_who_goes_away_frees_the_place_and_leaves_no_task() -> None:
    async with Batcher[Submission, Answer](agree) as batcher:
        intake = Intake(batcher.ask, PLENTY, BulkLimits())
        for _ in range(BULKS_MAX + 1):
            results = intake.take(bulk(), arriving(rows(range(2_000))))
            await anext(results)
            await results.aclose()
        left = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}  # type: ignore[union-attr]
        assert not {name for name in left if name.startswith("_Stream.")}
