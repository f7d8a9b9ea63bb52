"""A world in a process of its own, to be killed; receivers and journal live here and survive it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from services.receivers import Mailbox, PartnerEndpoint
from shared.embedded import free_port
from tests.chaos.journal import Journal
from tests.new_world import copy_world

START_WAIT_S = 60
DEATH_WAIT_S = 60


@dataclass
class KillableWorld:
    """A world's folder and port, and the process that runs it at the moment."""

    folder: Path
    port: int
    overrides: dict[str, str]
    process: asyncio.subprocess.Process | None = None
    said: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, doom: dict[str, Any] | None = None) -> None:
        """Start the world, doomed to die at one point if `doom` says so, and wait until it listens."""
        spec: dict[str, Any] = {"folder": str(self.folder), "port": self.port, "overrides": self.overrides}
        if doom:
            spec["doom"] = doom
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.chaos.doomed_world",
            json.dumps(spec),
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parent.parent.parent,
        )
        assert await self.line(START_WAIT_S) == "listening"

    async def line(self, wait_s: float) -> str:
        """Return the next line that the world prints."""
        assert self.process is not None
        assert self.process.stdout is not None
        return (await asyncio.wait_for(self.process.stdout.readline(), wait_s)).decode().strip()

    async def died(self) -> bool:
        """Wait for the world's end; tell whether it was killed at its named point."""
        assert self.process is not None
        struck = await self.line(DEATH_WAIT_S) == "struck"
        await asyncio.wait_for(self.process.wait(), DEATH_WAIT_S)
        return struck

    async def kill(self) -> None:
        """End the world by SIGKILL, if it runs."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


@pytest.fixture
async def mailbox(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with Mailbox(tmp_path / "mail") as mailbox:
        yield mailbox


@pytest.fixture
async def partner() -> AsyncIterator[PartnerEndpoint]:
    async with PartnerEndpoint() as partner:
        yield partner


@pytest.fixture
async def killable(new_world: Path, tmp_path: Path, mailbox: Mailbox) -> AsyncIterator[KillableWorld]:
    quick = {"CRYPTOSUITES": '["eddsa-jcs-2022"]', "CANONICAL_PROCESSES": "1"}
    leases = {"ATTEMPT_WAIT_S": "1", "LEASE_S": "2"}
    overrides = {**mailbox.settings(), **quick, **leases}
    world = KillableWorld(copy_world(new_world, tmp_path / "world"), free_port(), overrides)
    yield world
    await world.kill()


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.ndjson")
