"""A service's database: it says Unavailable of itself alone, and its migrations run once and never change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from shared.database import (
    SHARED_MIGRATIONS,
    Database,
    Migration,
    MigrationChangedError,
    migrate,
    read_migrations,
)
from shared.embedded import free_port
from shared.errors import Unavailable
from tests.conftest import Roles

RUNNERS = 3


@pytest.fixture
async def issuer(unmigrated: Roles) -> AsyncIterator[Database]:
    async with await Database.open(unmigrated.dsn("issuer"), "issuer", connections_max=2) as opened:
        yield opened


async def end_sessions(roles: Roles, application: str) -> int:
    """End every session of `application` as a fail-over would; returns how many there were."""
    admin = await asyncpg.connect(roles.admin_dsn)
    try:
        ended = await admin.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", application
        )
    finally:
        await admin.close()
    return len(ended)


async def test_a_server_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await Database.open(f"postgresql://nobody@127.0.0.1:{free_port()}/none", "issuer")


async def test_a_connection_that_breaks_in_a_block_is_unavailable_and_the_next_block_works(
    issuer: Database, unmigrated: Roles
) -> None:
    async def work() -> None:
        async with issuer.session() as session:
            await session.connection.execute("SELECT 1")
            assert await end_sessions(unmigrated, "microcred-issuer") == 1
            await session.connection.execute("SELECT 1")

    with pytest.raises(Unavailable):
        await work()
    async with issuer.connection() as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_a_connection_that_breaks_before_the_commit_leaves_nothing_and_is_unavailable(
    issuer: Database, unmigrated: Roles
) -> None:
    async with issuer.connection() as connection:
        await connection.execute("CREATE TABLE thing (name text)")

    async def work() -> None:
        async with issuer.session() as session:
            await session.connection.execute("INSERT INTO thing VALUES ('half')")
            await end_sessions(unmigrated, "microcred-issuer")

    with pytest.raises(Unavailable):
        await work()
    async with issuer.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM thing") == 0


async def test_a_pool_without_a_free_connection_is_unavailable(
    issuer: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with issuer.connection(), issuer.connection():
        monkeypatch.setattr("shared.database.ACQUIRE_WAIT_S", 0.05)
        with pytest.raises(Unavailable):
            async with issuer.connection():
                raise AssertionError("a third connection was lent")


async def test_a_deadlock_is_unavailable_to_its_victim(issuer: Database) -> None:
    async with issuer.connection() as connection:
        await connection.execute("CREATE TABLE thing (name text); INSERT INTO thing VALUES ('a'), ('b')")
    both_hold_one = asyncio.Barrier(2)

    async def lock(first: str, second: str) -> None:
        async with issuer.session() as session:
            await session.connection.execute("UPDATE thing SET name = name WHERE name = $1", first)
            await both_hold_one.wait()
            await session.connection.execute("UPDATE thing SET name = name WHERE name = $1", second)

    ends = await asyncio.gather(lock("a", "b"), lock("b", "a"), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["NoneType", "Unavailable"]


@pytest.mark.parametrize(
    ("statement", "arguments", "fault"),
    [
        ("SELECT * FROM no_such_table", (), asyncpg.UndefinedTableError),
        ("SELECT $1::int", ("not a number",), asyncpg.DataError),
        ("SELECT $1::int", (), asyncpg.InterfaceError),
        ("SELECT 1 / 0", (), asyncpg.DivisionByZeroError),
    ],
)
async def test_a_wrong_statement_is_a_bug_and_not_the_databases_fault(
    issuer: Database, statement: str, arguments: tuple[str, ...], fault: type[Exception]
) -> None:
    with pytest.raises(fault):
        async with issuer.session() as session:
            await session.connection.fetch(statement, *arguments)


async def test_a_missing_file_in_a_block_is_not_the_databases_fault(issuer: Database) -> None:
    with pytest.raises(FileNotFoundError):
        async with issuer.session():
            Path("/no/such/file").read_text()  # noqa: ASYNC240 - the point is what a handler may do wrong


async def test_a_cancelled_session_leaves_nothing_and_gives_its_connection_back(issuer: Database) -> None:
    async with issuer.connection() as connection:
        await connection.execute("CREATE TABLE thing (name text)")
    inserted = asyncio.Event()

    async def work() -> None:
        async with issuer.session() as session:
            await session.connection.execute("INSERT INTO thing VALUES ('half')")
            inserted.set()
            await asyncio.Event().wait()

    for _ in range(3):  # more often than there are connections
        task = asyncio.create_task(work())
        await inserted.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        inserted.clear()
    async with issuer.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM thing") == 0


async def test_no_setting_or_lock_of_a_migration_stays_on_a_lent_connection(issuer: Database) -> None:
    async with issuer.connection() as connection:
        before = await connection.fetchval("SHOW statement_timeout")
    await migrate(issuer, read_migrations("shared", SHARED_MIGRATIONS))
    async with issuer.connection() as connection:
        assert await connection.fetchval("SHOW statement_timeout") == before
        assert await connection.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0


async def test_three_runners_at_once_apply_each_migration_once(unmigrated: Roles) -> None:
    migrations = [
        Migration("test/0001.sql", "CREATE TABLE thing (name text); SELECT pg_sleep(0.2)"),
        Migration("test/0002.sql", "INSERT INTO thing VALUES ('once')"),
    ]
    databases = [await Database.open(unmigrated.dsn("issuer"), "issuer", 2) for _ in range(RUNNERS)]
    try:
        applied = await asyncio.gather(*(migrate(database, migrations) for database in databases))
        async with databases[0].connection() as connection:
            assert await connection.fetchval("SELECT count(*) FROM thing") == 1
    finally:
        await asyncio.gather(*(database.close() for database in databases))
    assert sorted(applied, key=len) == [[], [], ["test/0001.sql", "test/0002.sql"]]


async def test_a_changed_migration_is_refused_before_anything_is_applied(issuer: Database) -> None:
    first = Migration("test/0001.sql", "CREATE TABLE thing (name text)")
    assert await migrate(issuer, [first]) == ["test/0001.sql"]
    changed = Migration("test/0001.sql", "CREATE TABLE thing (name varchar)")
    second = Migration("test/0000.sql", "CREATE TABLE other (name text)")
    with pytest.raises(MigrationChangedError, match=r"test/0001\.sql"):
        await migrate(issuer, [second, changed])
    async with issuer.connection() as connection:
        assert await connection.fetchval("SELECT to_regclass('other')") is None


async def test_a_migration_that_fails_leaves_nothing_of_itself_and_keeps_those_before_it(
    issuer: Database,
) -> None:
    good = Migration("test/0001.sql", "CREATE TABLE thing (name text)")
    bad = Migration("test/0002.sql", "CREATE TABLE other (name text); SELECT 1 / 0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(issuer, [good, bad])
    async with issuer.connection() as connection:
        assert await connection.fetchval("SELECT to_regclass('thing')") is not None
        assert await connection.fetchval("SELECT to_regclass('other')") is None
    mended = Migration("test/0002.sql", "CREATE TABLE other (name text)")
    assert await migrate(issuer, [good, mended]) == ["test/0002.sql"]
