"""The workers that canonicalise, started once a module: starting them takes longer than the tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from shared.proofs.workers import CanonicalWorkers


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def workers() -> AsyncIterator[CanonicalWorkers]:
    async with CanonicalWorkers(1) as started:
        yield started
