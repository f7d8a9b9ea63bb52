"""Bulk intake: order, faults by line, duplicates, fairness between tenants, a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx2

from services.assessor.api import rows, submission
from services.assessor.api.bulk import Bulk, BulkLimits, Intake
from services.assessor.handlers.references import References
from services.assessor.handlers.submission import Answer, Submission
from services.assessor.handlers.submit import Submit
from shared.app import application, listening
from shared.batching import Batcher
from shared.bus.consumer import LaneLag
from shared.eventstore import Meta
from shared.limits import RateLimit
from shared.vault import LearnerKeyOwner

ALPHA, BETA = "alpha-academy", "beta-college"
COHORT = Path(__file__).parents[3] / "examples" / "cohort.csv"


def ndjson(bodies: Sequence[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in bodies)


async def test_rows_are_answered_in_their_order_with_faults_by_line(world: Any, body: Any) -> None:
    sent = b"".join(
        [
            ndjson([body(1)]),
            b"\n",
            b'{"assessment_id": "A-2", "learner": 1}\n',
            b"not json\n",
            b'{"assessment_id": "A-3 \xff"}\n',
            ndjson([body(1), body(1, assessor="Other"), body(4, results={"method": 9})]),
            json.dumps(body(5)).encode(),
        ]
    )
    lines = await world.bulk(b"\xef\xbb\xbf" + sent)
    told = [
        (line["line"], line.get("assessment_id"), line["outcome"], line.get("problem", {}).get("code"))
        for line in lines
    ]
    assert told == [
        (1, "A-1", "passed", None),
        (3, "A-2", "rejected", "row-invalid"),
        (4, None, "rejected", "row-invalid"),
        (5, None, "rejected", "row-not-utf8"),
        (6, "A-1", "duplicate", None),
        (7, "A-1", "rejected", "assessment-exists"),
        (8, "A-4", "rejected", "results-invalid"),
        (9, "A-5", "passed", None),
    ]
    assert lines[0]["score_percent"] == lines[4]["score_percent"] == "87.50"


async def test_the_example_cohort_is_taken_with_its_faults_by_line(world: Any) -> None:
    lines = await world.bulk(COHORT.read_bytes(), kind="text/csv; charset=utf-8")
    outcomes = [line["outcome"] for line in lines]
    assert len(lines) == 1008
    assert outcomes.count("duplicate") == 2
    assert [line["line"] for line in lines] == list(range(2, 1010))
    rejected = [line for line in lines if line["outcome"] == "rejected"]
    assert [line["problem"]["code"] for line in rejected].count("row-invalid") == 5
    assert [line["problem"]["code"] for line in rejected].count("results-invalid") == 1
    assert outcomes.count("passed") + outcomes.count("failed") == 1000
    again = await world.bulk(COHORT.read_bytes(), kind="text/csv")
    assert {line["outcome"] for line in again} == {"duplicate", "rejected"}
    assert await world.count("SELECT count(*) FROM assessor.event") == 2000


async def test_a_bad_csv_header_is_told_on_its_line_and_ends_the_reading(world: Any) -> None:
    lines = await world.bulk(b"assessment_id,name\nA-1,Zoe\nA-2,Zoe\n", kind="text/csv")
    assert [(line["line"], line["problem"]["code"]) for line in lines] == [(1, "csv-header-invalid")]
    assert "achievement_id: missing" in lines[0]["problem"]["reasons"]


async def test_an_unknown_media_type_is_refused(world: Any) -> None:
    answer = await world.ask(
        "POST", "/assessments/bulk", content=b"x", headers={"Content-Type": "application/xml"}
    )
    assert (answer.status_code, answer.json()["code"]) == (415, "media-type-unread")


async def test_a_row_past_the_line_limit_is_reported_and_skipped(world: Any, body: Any) -> None:
    long = json.dumps(body(2, narrative="x" * (65 << 10))).encode() + b"\n"
    lines = await world.bulk(ndjson([body(1)]) + long + ndjson([body(3)]))
    assert [(line["line"], line.get("problem", {}).get("code")) for line in lines] == [
        (1, None),
        (2, "row-too-long"),
        (3, None),
    ]


async def test_one_id_many_times_in_one_batch_is_one_assessment(world: Any, body: Any) -> None:
    lines = await world.bulk(ndjson([body(1)] * 300))
    assert [line["outcome"] for line in lines] == ["passed"] + ["duplicate"] * 299
    assert await world.count("SELECT count(*) FROM assessor.event") == 2


async def test_an_id_that_comes_twice_for_two_learners_maps_only_the_first(world: Any, body: Any) -> None:
    lines = await world.bulk(ndjson([body(1), body(1, learner=body(2)["learner"])]))
    assert [line["outcome"] for line in lines] == ["passed", "rejected"]
    assert await world.count("SELECT count(*) FROM assessor.learner") == 1


async def test_attempts_are_counted_within_a_batch(world: Any, body: Any) -> None:
    learner = body()["learner"]
    lines = await world.bulk(ndjson([body(number, learner=learner) for number in range(1, 6)]))
    assert [line["outcome"] for line in lines] == ["passed"] * 3 + ["rejected"] * 2
    assert await world.count("SELECT taken FROM assessor.attempt") == 3


async def test_an_id_refused_for_one_learner_and_sent_at_once_for_another_maps_nobody(
    world: Any, body: Any
) -> None:
    spent = body()["learner"]
    await world.bulk(ndjson([body(number, learner=spent) for number in (1, 2, 3)]))
    lines = await world.bulk(ndjson([body(9, learner=spent), body(9, learner=body(8)["learner"])]))
    assert [line["problem"]["code"] for line in lines] == ["attempts-used-up", "assessment-id-twice"]
    assert await world.count("SELECT count(*) FROM assessor.learner") == 1


async def test_results_stream_out_while_rows_still_stream_in(world: Any, body: Any) -> None:
    """The second row is sent only once the answer to the first was read, over a real socket."""
    first_was_read = asyncio.Event()

    async def sent() -> AsyncIterator[bytes]:
        yield ndjson([body(1)])
        await first_was_read.wait()
        yield ndjson([body(2)])

    async with listening(application(world.house), "127.0.0.1", 0) as address:
        port = int(address.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = (
            "POST /assessor/assessments/bulk HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
            f"Authorization: Bearer {world.keys[ALPHA].token}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        writer.write(head.encode())

        async def write() -> None:
            async for piece in sent():
                writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                await writer.drain()
            writer.write(b"0\r\n\r\n")

        writing = asyncio.create_task(write())
        received = await reader.readuntil(b'"line":1')
        assert received.startswith(b"HTTP/1.1 200")
        first_was_read.set()
        await reader.readuntil(b'"line":2')
        await reader.readuntil(b"0\r\n\r\n")
        await writing
        writer.close()


async def test_a_caller_who_reads_only_at_the_end_gets_everything(world: Any, body: Any) -> None:
    """More is sent and answered than sockets hold, by a client that sends all before it reads.

    The first 3,000 rows are taken, so that the body also arrives while the intake waits for answers.
    """
    good = [body(number) for number in range(3_000)]
    sent = ndjson(good + [{"assessment_id": "A-1", "padding": "x" * 1_000}] * 16_000 + [body(3_000)])
    async with (
        listening(application(world.house), "127.0.0.1", 0) as address,
        httpx2.AsyncClient(base_url=address, timeout=60) as client,
    ):
        headers = {
            "Authorization": f"Bearer {world.keys[ALPHA].token}",
            "Content-Type": "application/x-ndjson",
        }
        answer = await client.post("/assessor/assessments/bulk", content=sent, headers=headers)
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["line"] for line in lines] == list(range(1, 19_002))
    assert [line["outcome"] for line in lines] == ["passed"] * 3_000 + ["rejected"] * 16_000 + ["passed"]


async def test_a_declared_length_past_the_limit_is_refused_before_anything(world: Any) -> None:
    async with listening(application(world.house), "127.0.0.1", 0) as address:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        head = (
            "POST /assessor/assessments/bulk HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
            f"Authorization: Bearer {world.keys[ALPHA].token}\r\nContent-Length: {(64 << 20) + 1}\r\n\r\n{{}}"
        )
        writer.write(head.encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")
        writer.close()


async def test_a_body_that_grows_past_the_limit_ends_with_a_line_that_says_so(world: Any, body: Any) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield ndjson([body(1)])
        for _ in range(65):
            yield b" " * (1 << 20) + b"\n"

    answer = await world.ask(
        "POST",
        "/assessments/bulk",
        content=pieces(),
        headers={"Content-Type": "application/x-ndjson"},
    )
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines[0]["outcome"] == "passed"
    assert lines[-1]["problem"]["code"] == "body-too-large"


async def test_a_big_bulk_of_one_tenant_delays_another_tenants_single_by_two_batches_at_most(
    world: Any, body: Any
) -> None:
    """Counts flushes between the single's arrival and its answer, while the bulk keeps the queue full."""
    keys, references = LearnerKeyOwner(world.master_key), References(world.master_key)
    submit = Submit(world.service.database, keys, references, world.settings.public_url, LaneLag())
    flushes = 0
    bulk_is_under_way = asyncio.Event()

    async def flush(batch: Sequence[Submission]) -> Any:
        nonlocal flushes
        flushes += 1
        answers = await submit.flush(batch)
        if flushes == 3:
            bulk_is_under_way.set()
        return answers

    async def content() -> AsyncIterator[bytes]:
        for number in range(3_000):
            yield ndjson([body(number)])

    async with Batcher[Submission, Answer](flush, batch_max=100) as batcher:
        intake = Intake(batcher.ask, RateLimit(1e9, 10**9), BulkLimits())
        meta = Meta("api-key:of-test", "of-the-test")

        async def bulk() -> int:
            taken = intake.take(Bulk(ALPHA, "alphakey", meta, rows.NdjsonRows()), content())
            return sum([piece.count(b'"outcome":"passed"') async for piece in taken])

        running = asyncio.create_task(bulk())
        await bulk_is_under_way.wait()
        asked_at = flushes
        single = submission.SubmissionBody.model_validate(body(1)).command(BETA)
        answer = await batcher.ask(BETA, Submission(single, meta))
        assert answer.passed
        assert flushes - asked_at <= 2
        assert not running.done()
        assert await running == 3_000
    assert flushes >= 30
