"""The Batcher: whatever came during the last flush is the next batch, in turns from each tenant."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared import batching, telemetry
from shared.batching import STALE_TRIES_MAX, Batcher
from shared.errors import Conflict, Invalid, MicrocredError, StaleStream, TooMany, Unavailable

BATCH = 5


class Gate:
    """A flush that waits to be let through, and keeps what it was given."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.began = asyncio.Event()
        self._open = asyncio.Semaphore(0)

    def let_through(self, flushes: int = 1) -> None:
        for _ in range(flushes):
            self._open.release()

    async def __call__(self, commands: Sequence[str]) -> list[str | MicrocredError]:
        self.batches.append(list(commands))
        self.began.set()
        await self._open.acquire()
        return [command.upper() for command in commands]


async def handed_in(*tasks: asyncio.Task[Any]) -> None:
    """Let tasks run until each waits for its answer."""
    for _ in tasks:
        await asyncio.sleep(0)


def asking(batcher: Batcher[str, str], tenant: str, *commands: str) -> list[asyncio.Task[str]]:
    return [asyncio.create_task(batcher.ask(tenant, command)) for command in commands]


async def test_a_single_command_is_flushed_at_once_and_alone() -> None:
    gate = Gate()
    gate.let_through()
    async with Batcher(gate, BATCH) as batcher:
        assert await batcher.ask("a", "one") == "ONE"
    assert gate.batches == [["one"]]


async def test_what_arrives_during_a_flush_is_the_next_batch() -> None:
    gate = Gate()
    async with Batcher(gate, BATCH) as batcher:
        tasks = asking(batcher, "a", "first")
        await gate.began.wait()
        tasks += asking(batcher, "a", "second", "third")
        await handed_in(*tasks)
        gate.let_through(2)
        assert await asyncio.gather(*tasks) == ["FIRST", "SECOND", "THIRD"]
    assert gate.batches == [["first"], ["second", "third"]]


async def test_a_bulk_upload_delays_another_tenant_by_one_batch_at_most() -> None:
    gate = Gate()
    async with Batcher(gate, BATCH) as batcher:
        tasks = asking(batcher, "bulk", *(f"bulk-{each}" for each in range(40)))
        await gate.began.wait()
        await handed_in(*tasks)
        tasks += asking(batcher, "single", "single")
        await handed_in(*tasks)
        gate.let_through(20)
        await asyncio.gather(*tasks)
    [flush] = [number for number, batch in enumerate(gate.batches) if "single" in batch]
    assert flush == 1
    assert len(gate.batches) == 1 + 40 // BATCH


async def test_tenants_with_equal_backlogs_get_equal_parts_of_every_batch() -> None:
    gate = Gate()
    async with Batcher(gate, BATCH - 1) as batcher:
        tasks = asking(batcher, "z", "first")
        await gate.began.wait()
        for tenant in "ab":
            tasks += asking(batcher, tenant, *(f"{tenant}{each}" for each in range(10)))
        await handed_in(*tasks)
        gate.let_through(20)
        await asyncio.gather(*tasks)
    assert gate.batches[1:] == [
        [f"a{each}", f"b{each}", f"a{each + 1}", f"b{each + 1}"] for each in range(0, 10, 2)
    ]


async def test_one_tenant_cannot_fill_the_backlog_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "TENANT_COMMANDS_MAX", 3)
    monkeypatch.setattr(batching, "BACKLOG_COMMANDS_MAX", 5)
    gate = Gate()
    async with Batcher(gate, BATCH) as batcher:
        tasks = asking(batcher, "z", "first")
        await gate.began.wait()
        tasks += asking(batcher, "greedy", "1", "2", "3")
        await handed_in(*tasks)
        with pytest.raises(TooMany):
            await batcher.ask("greedy", "4")
        tasks += asking(batcher, "modest", "1", "2")
        await handed_in(*tasks)
        with pytest.raises(TooMany):
            await batcher.ask("late", "1")
        gate.let_through(5)
        assert len(await asyncio.gather(*tasks)) == 6
        gate.let_through()
        assert await batcher.ask("late", "again") == "AGAIN"


async def test_answers_and_errors_go_to_their_own_commands() -> None:
    async def flush(commands: Sequence[str]) -> list[str | MicrocredError]:
        return [Conflict("taken", "Taken.") if each == "bad" else each.upper() for each in commands]

    async with Batcher(flush, BATCH) as batcher:
        tasks = asking(batcher, "a", "x", "bad", "y")
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert ends[0] == "X"
    assert isinstance(ends[1], Conflict)
    assert ends[2] == "Y"


@pytest.mark.parametrize("fault", [ValueError("a bug"), Invalid("bad", "It is bad.")], ids=["bug", "refusal"])
async def test_a_command_that_makes_the_flush_raise_is_isolated_by_halves(fault: Exception) -> None:
    batches: list[list[str]] = []

    async def flush(commands: Sequence[str]) -> list[str | MicrocredError]:
        batches.append(list(commands))
        if "3" in commands:
            raise fault
        return list(commands)

    async with Batcher(flush, 8) as batcher:
        ends = await asyncio.gather(
            *asking(batcher, "a", *(str(each) for each in range(8))), return_exceptions=True
        )
        assert await batcher.ask("a", "afterwards") == "afterwards"
    assert [end for end in ends if not isinstance(end, Exception)] == ["0", "1", "2", "4", "5", "6", "7"]
    assert ends[3] is fault
    assert len(batches) == 1 + 2 * 3 + 1


async def test_the_log_of_a_commands_fault_names_the_request_that_asked() -> None:
    async def flush(commands: Sequence[str]) -> list[str | MicrocredError]:
        if "bad" in commands:
            raise ValueError
        return list(commands)

    async def requested(batcher: Batcher[str, str], command: str) -> str:
        telemetry.correlation.set(f"of-{command}")
        return await batcher.ask("a", command)

    with capture_logs() as said:
        async with Batcher(flush, BATCH) as batcher:
            await asyncio.gather(
                *(requested(batcher, each) for each in ("good", "bad", "better")), return_exceptions=True
            )
    assert [(line["event"], line["correlation"]) for line in said] == [("command failed", "of-bad")]


async def test_unavailable_is_told_to_all_and_tried_once() -> None:
    calls: list[int] = []

    async def flush(commands: Sequence[str]) -> list[str | MicrocredError]:
        calls.append(len(commands))
        raise Unavailable("The database is away.")

    async with Batcher(flush, BATCH) as batcher:
        ends = await asyncio.gather(*asking(batcher, "a", "1", "2", "3"), return_exceptions=True)
    assert [type(end) for end in ends] == [Unavailable] * 3
    assert calls == [3]


async def test_a_stale_stream_is_tried_again() -> None:
    calls: list[int] = []

    async def flush(commands: Sequence[str]) -> list[str | MicrocredError]:
        calls.append(len(commands))
        if len(calls) <= STALE_TRIES_MAX:
            raise StaleStream("Somebody was first.")
        return list(commands)

    async with Batcher(flush, BATCH) as batcher:
        assert await asyncio.gather(*asking(batcher, "a", "1", "2")) == ["1", "2"]
    assert calls == [2] * (STALE_TRIES_MAX + 1)


async def test_a_command_that_stays_stale_is_told_to_come_back_and_the_others_pass() -> None:
    async def flush(commands: Sequence[str]) -> list[str | MicrocredError]:
        if "hot" in commands:
            raise StaleStream("Always.")
        return list(commands)

    async with Batcher(flush, BATCH) as batcher:
        ends = await asyncio.gather(*asking(batcher, "a", "1", "hot", "2"), return_exceptions=True)
    assert [ends[0], type(ends[1]), ends[2]] == ["1", Unavailable, "2"]


async def test_a_flush_with_too_few_answers_is_a_bug_told_to_all_and_does_not_end_the_batcher() -> None:
    calls: list[int] = []

    async def flush(commands: Sequence[str]) -> list[str | MicrocredError]:
        calls.append(len(commands))
        return list(commands[1:]) if len(calls) == 1 else list(commands)

    async with Batcher(flush, BATCH) as batcher:
        ends = await asyncio.gather(*asking(batcher, "a", "1", "2"), return_exceptions=True)
        assert [type(end) for end in ends] == [ValueError, ValueError]
        assert await batcher.ask("a", "3") == "3"
    assert calls == [2, 1]


async def test_a_caller_who_gives_up_takes_nobody_with_him() -> None:
    gate = Gate()
    async with Batcher(gate, BATCH) as batcher:
        first = asking(batcher, "a", "first")
        await gate.began.wait()
        gone, stays = asking(batcher, "a", "gone", "stays")
        await handed_in(gone, stays)
        gone.cancel()
        gate.let_through(2)
        assert await asyncio.gather(*first, stays) == ["FIRST", "STAYS"]
    assert gate.batches == [["first"], ["gone", "stays"]]


async def test_stopping_finishes_the_flush_in_hand_and_refuses_the_rest() -> None:
    gate = Gate()
    batcher: Batcher[str, str] = Batcher(gate, BATCH)
    await batcher.__aenter__()
    [in_hand] = asking(batcher, "a", "in hand")
    await gate.began.wait()
    [waiting] = asking(batcher, "a", "waiting")
    await handed_in(waiting)
    stopping = asyncio.create_task(batcher.__aexit__())
    await asyncio.sleep(0)
    assert not in_hand.done()
    gate.let_through()
    await stopping
    assert await in_hand == "IN HAND"
    with pytest.raises(Unavailable):
        await waiting
    with pytest.raises(Unavailable):
        await batcher.ask("a", "too late")
    assert gate.batches == [["in hand"]]


async def test_a_batcher_that_does_not_run_refuses_rather_than_keep_a_caller_waiting() -> None:
    with pytest.raises(Unavailable):
        await Batcher(Gate(), BATCH).ask("a", "too early")
