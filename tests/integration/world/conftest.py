"""`world`: all four services on a real PostgreSQL, with a mailbox, a partner and a provider outside of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.demo.provider import Provider
from services.demo.sample import issuer_settings, sample_achievement, sample_assessment, sample_issuer
from services.receivers import Mailbox, PartnerEndpoint
from services.world import World, open_world
from shared.embedded import free_port
from tests.new_world import copy_world

SETTLE_WAIT_S = 60


@dataclass
class PeopledWorld:
    """An installation and those around it: what a test of the whole acts on."""

    installation: World
    provider: Provider
    mailbox: Mailbox
    partner: PartnerEndpoint
    achievement_id: str
    number: int = 0

    def assessment(self, **changes: Any) -> dict[str, Any]:
        """Return an assessment of a new learner that passes, with `changes`."""
        self.number += 1
        assessment = sample_assessment(self.achievement_id)
        assessment["assessment_id"] = f"world-{self.number:04d}"
        assessment["learner"] = {
            "reference": f"R{self.number}",
            "name": f"Learner Number{self.number}",
            "email": f"learner{self.number}@example.org",
        }
        return assessment | changes

    async def passed(self, **changes: Any) -> dict[str, Any]:
        """Submit an assessment that passes, wait, and return what the issuer says of its credential."""
        assessment = self.assessment(**changes)
        answer = await self.provider.submit(assessment)
        assert answer["outcome"] == "passed"
        await self.settled()
        return await self.provider.credential_of(assessment["assessment_id"])

    async def settled(self) -> None:
        """Wait until no event, status list or delivery waits anywhere."""
        await self.installation.settled(SETTLE_WAIT_S)


@pytest.fixture
def bus_settings() -> dict[str, str]:
    """Settings of the bus, as variables; without any it is the local one."""
    return {}


@asynccontextmanager
async def installed(
    folder: Path, port: int, mailbox: Mailbox, bus_settings: dict[str, str]
) -> AsyncIterator[World]:
    """Run the installation of `folder` until the block ends."""
    settings = mailbox.settings() | bus_settings | {"CANONICAL_PROCESSES": "1"}
    async with open_world(folder, port, settings, durable=False) as installation:
        yield installation


@asynccontextmanager
async def peopled(
    installation: World, mailbox: Mailbox, partner: PartnerEndpoint
) -> AsyncIterator[PeopledWorld]:
    """Bring an issuer, an achievement and a subscription into a new installation; nothing waits then."""
    definition, achievement_id = sample_achievement()
    issuer = await sample_issuer(issuer_settings(installation.folder), installation.folder)
    async with Provider(installation.address, issuer.token) as provider:
        await provider.until_known()
        await provider.publish_achievement(definition, achievement_id)
        partner.trust(await provider.subscribe(partner.url))
        await installation.settled(SETTLE_WAIT_S)
        yield PeopledWorld(installation, provider, mailbox, partner, achievement_id)


@pytest.fixture
def world_folder(new_world: Path, tmp_path: Path) -> Path:
    """Folder of a world that was started once and has nobody in it."""
    return copy_world(new_world, tmp_path / "world")


@pytest.fixture
async def world(
    world_folder: Path, tmp_path: Path, bus_settings: dict[str, str]
) -> AsyncIterator[PeopledWorld]:
    """A world with an issuer, an achievement and a subscription; nothing waits in it."""
    async with (
        Mailbox(tmp_path / "mail") as mailbox,
        PartnerEndpoint() as partner,
        installed(world_folder, free_port(), mailbox, bus_settings) as installation,
        peopled(installation, mailbox, partner) as world,
    ):
        yield world
