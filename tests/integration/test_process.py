"""A deployed process: settings from the environment, ready, drained, stopped in order."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import httpx2

from services.world import world_environment
from shared.embedded import free_port
from shared.loopback import loopback_client

WAIT_S = 30
POLL_EVERY_S = 0.02


async def status(address: str) -> int | None:
    """Return the readiness of a process, or None if it does not answer."""
    try:
        async with loopback_client() as client:
            return (await client.get(f"{address}/health/ready")).status_code
    except httpx2.HTTPError:
        return None


async def until(address: str, wanted: int | None) -> None:
    async with asyncio.timeout(WAIT_S):
        while await status(address) != wanted:  # noqa: ASYNC110 - another process works
            await asyncio.sleep(POLL_EVERY_S)


async def start(environment: dict[str, str], *module: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", *module, env=os.environ | environment, stderr=asyncio.subprocess.PIPE
    )


async def test_a_service_alone_starts_says_not_ready_while_it_drains_and_ends_in_order(
    tmp_path: Path,
) -> None:
    port = free_port()
    more = {"HTTP_PORT": str(port), "DRAIN_WAIT_S": "2"}
    async with world_environment(tmp_path, port, more, durable=False) as (environment, _):
        process = await start(environment, "services.verifier")
        await until(f"http://127.0.0.1:{port}", 200)
        process.send_signal(signal.SIGTERM)
        await until(f"http://127.0.0.1:{port}", 503)
        assert await asyncio.wait_for(process.wait(), WAIT_S) == 0
        assert await status(f"http://127.0.0.1:{port}") is None


async def test_settings_that_cannot_work_are_named_and_end_the_start(tmp_path: Path) -> None:
    port = free_port()
    async with world_environment(tmp_path, port, {}, durable=False) as (environment, _):
        process = await start(environment | {"PUBLIC_URL": "ftp://nowhere"}, "services.verifier")
        _, told = await asyncio.wait_for(process.communicate(), WAIT_S)
        assert process.returncode == 1
        assert b"PUBLIC_URL must begin with https://" in told


async def test_a_database_that_is_away_ends_the_start_with_a_code_of_its_own(tmp_path: Path) -> None:
    port = free_port()
    async with world_environment(tmp_path, port, {}, durable=False) as (environment, _):
        dsn = f"postgresql://verifier@127.0.0.1:{free_port()}/microcred"
        process = await start(environment | {"VERIFIER_DATABASE_URL": dsn}, "services.verifier")
        _, told = await asyncio.wait_for(process.communicate(), WAIT_S)
        assert process.returncode == 2
        assert b"does not answer" in told
