"""Databases of the services; an authority for servers on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.database import Database
from tests.conftest import Roles
from tests.integration.authority import Authority


@pytest.fixture
async def assessor(roles: Roles) -> AsyncIterator[Database]:
    """The assessor's database."""
    async with await Database.open(roles.dsn("assessor"), "assessor") as opened:
        yield opened


@pytest.fixture
async def issuer(roles: Roles) -> AsyncIterator[Database]:
    """The issuer's database."""
    async with await Database.open(roles.dsn("issuer"), "issuer") as opened:
        yield opened


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A certificate authority that nobody else trusts."""
    return Authority.made(tmp_path)
