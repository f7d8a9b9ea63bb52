"""A start that is cancelled: an embedded PostgreSQL is made in a thread, which no cancel reaches."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from services.world import world_environment
from shared.embedded import Cluster, free_port
from shared.embedded.stopping import held
from tests.integration.test_embedded_postgres import GONE_WAIT_S, processes_of

POLL_EVERY_S = 0.01
CANCEL_EVERY_S = 0.001
"""No PostgreSQL ends as fast."""


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(GONE_WAIT_S):
        while not true():  # noqa: ASYNC110 - files and processes set no event
            await asyncio.sleep(POLL_EVERY_S)


async def cancelled(task: asyncio.Task[None], times: int, every_s: float) -> None:
    """Cancel `task` and see it end by that."""
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(every_s)
    with pytest.raises(asyncio.CancelledError):
        await task


def nobody_owns(folder: Path) -> bool:
    """Whether no program, this one included, holds the folder's lock."""
    with (folder / "owner.lock").open("r+b") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


@pytest.mark.parametrize("times", [1, 3])
async def test_a_world_that_is_cancelled_while_its_database_is_made_leaves_nobody_at_work_in_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    place = tmp_path / "postgres"

    async def live() -> None:
        async with world_environment(tmp_path, free_port(), {}, durable=False):
            pytest.fail("it was cancelled before")

    living = asyncio.create_task(live())
    await until(lambda: any(place.glob("initdb-*/base")))
    await cancelled(living, times, POLL_EVERY_S)
    assert not processes_of(tmp_path)
    assert nobody_owns(place)
    assert (place / "data").is_dir(), "what was begun was ended, not torn off"


async def test_a_block_that_is_cancelled_once_more_while_it_stops_its_database_waits_for_the_end(
    tmp_path: Path,
) -> None:
    up = asyncio.Event()

    async def live() -> None:
        async with held(partial(Cluster.open, tmp_path, durable=False)):
            up.set()
            await asyncio.Event().wait()

    living = asyncio.create_task(live())
    await up.wait()
    await cancelled(living, 3, CANCEL_EVERY_S)
    assert not processes_of(tmp_path)
    assert nobody_owns(tmp_path)


async def test_a_start_that_fails_says_why_and_a_cancelled_one_only_that_it_was_cancelled(
    tmp_path: Path,
) -> None:
    (tmp_path / "thesis.odt").write_text("three years")

    async def live() -> None:
        async with held(partial(Cluster.open, tmp_path)):
            pytest.fail("there was nothing to hold")

    with pytest.raises(Exception, match=r"thesis\.odt"):
        await live()
    living = asyncio.create_task(live())
    await asyncio.sleep(0)
    await cancelled(living, 1, CANCEL_EVERY_S)
