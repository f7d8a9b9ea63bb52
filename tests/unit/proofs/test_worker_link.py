"""The pipe to one worker: what is left in it when the worker is killed."""

from __future__ import annotations

import asyncio
import gc
import sys
from asyncio.subprocess import PIPE

import pytest

from shared.proofs.worker_link import WorkerDied, WorkerLink

READS_NOTHING = "import time; time.sleep(600)"
MORE_THAN_A_PIPE_HOLDS = bytes(4 << 20)


async def test_what_a_killed_worker_did_not_read_leaves_no_error_that_nobody_hears() -> None:
    unheard: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context["message"]))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", READS_NOTHING, stdin=PIPE, stdout=PIPE
    )
    link = WorkerLink(process)
    sending = asyncio.create_task(link.send([MORE_THAN_A_PIPE_HOLDS]))
    await asyncio.sleep(0)
    await link.kill()
    with pytest.raises(WorkerDied):
        await sending
    del link, process, sending
    gc.collect()
    await asyncio.sleep(0)
    assert unheard == []
