"""Topics that only one test sees, a log to relay, and a reader that we did not write."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest

from shared.bus.kafka import Cluster, topics
from shared.contracts.topics import ASSESSMENTS, LEARNERS
from shared.database import Database
from tests.conftest import Roles
from tests.contract.bus.buses import ONE_BROKER
from tests.integration.kafka.stranger import Stranger


@pytest.fixture
async def cluster(kafka: str) -> AsyncIterator[Cluster]:
    """The session's broker under names that only this test uses, with the assessor's topics."""
    cluster = Cluster(kafka, prefix=f"{uuid.uuid4().hex}.")
    await topics.create(cluster, [ASSESSMENTS, LEARNERS], ONE_BROKER)
    yield cluster
    await topics.delete(cluster, [ASSESSMENTS, LEARNERS])


@pytest.fixture
async def producer(roles: Roles) -> AsyncIterator[Database]:
    """The assessor's log."""
    async with await Database.open(roles.dsn("assessor"), "assessor") as database:
        yield database


@pytest.fixture
def stranger(cluster: Cluster) -> Stranger:
    """Somebody else's client on the same topics."""
    return Stranger(cluster)
