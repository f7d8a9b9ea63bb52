"""A service's own PostgreSQL schema: the pool, sessions, and the migrations that build it.

One schema and one role per service; a service never reads another's tables. What PostgreSQL may say about
itself (away, starting, too many clients, deadlock) becomes Unavailable here, once, so that nobody above knows
the driver's errors. Every wait has a limit.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy

from shared import clock
from shared.errors import Unavailable
from shared.eventstore import Session
from shared.eventstore.log import Connection

CONNECT_WAIT_S = 10
ACQUIRE_WAIT_S = 10
STATEMENT_WAIT_MS = 30_000
MIGRATION_WAIT_MS = 15 * 60_000
IDLE_IN_TRANSACTION_WAIT_MS = 10_000
RETRY_AFTER_S = 1.0
KEYED_LOOKUPS = {
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""Statements look rows up by key. A plan that was made while a table was small would read all of it for ever:
nothing tells PostgreSQL of growth before the next analysis. (What has no index is scanned all the same.)"""
SHARED_MIGRATIONS = Path(__file__).parent / "migrations"

AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InternalClientError,  # the server said farewell while a statement went out
    ConnectionError,
    TimeoutError,
)
"""What says nothing about the request, only about the database at this moment."""
UNREACHABLE = (*AWAY, OSError, asyncpg.InterfaceError)
"""The same while a connection is being made or lent: there is no statement yet that could be at fault."""

logger = structlog.get_logger(__name__)


class Database:
    """A pool of connections whose search path is one schema."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], schema: str) -> None:
        self._pool = pool
        self.schema = schema

    @classmethod
    async def open(cls, dsn: str, schema: str, connections_max: int = 10) -> Database:
        """Connect to `dsn`. Raises Unavailable when PostgreSQL does not answer."""
        try:
            pool = await asyncpg.create_pool(
                dsn,
                min_size=1,
                max_size=connections_max,
                timeout=CONNECT_WAIT_S,
                reset=_leave_as_is,
                server_settings={
                    "search_path": schema,
                    "application_name": f"microcred-{schema}",
                    "statement_timeout": str(STATEMENT_WAIT_MS),
                    "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_WAIT_MS),
                    "jit": "off",
                    **KEYED_LOOKUPS,
                },
            )
        except UNREACHABLE as cause:
            raise Unavailable(f"The database of {schema} does not answer.", RETRY_AFTER_S) from cause
        return cls(pool, schema)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection outside any transaction: for reads. Raises Unavailable.

        An error of the block itself (a wrong statement, a missing file) passes through: it is not the
        database's fault, and a consumer that took it for one would wait for ever and never bury its cause.
        """
        try:
            lent = await self._pool.acquire(timeout=ACQUIRE_WAIT_S)
        except UNREACHABLE as cause:
            raise self._away() from cause
        try:
            yield lent
        except AWAY as cause:
            raise self._away() from cause
        except (OSError, asyncpg.InterfaceError) as cause:
            if _is_lost(lent):
                raise self._away() from cause
            raise
        finally:
            await self._give_back(lent)

    async def _give_back(self, lent: PoolConnectionProxy[asyncpg.Record]) -> None:
        try:
            await self._pool.release(lent, timeout=ACQUIRE_WAIT_S)
        except UNREACHABLE as cause:
            # What was committed stays committed: the pool has ended the connection and makes another.
            logger.warning("connection lost", schema=self.schema, reason=type(cause).__name__)

    def _away(self) -> Unavailable:
        return Unavailable(f"The database of {self.schema} is away.", RETRY_AFTER_S)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Open one transaction as a Session; it commits when the block ends, or leaves nothing."""
        async with self.connection() as connection, connection.transaction():
            yield Session(connection, clock.now())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Give all connections back, ending those that are still in use after the acquire wait."""
        try:
            async with asyncio.timeout(ACQUIRE_WAIT_S):
                await self._pool.close()
        except UNREACHABLE:
            self._pool.terminate()


def _is_lost(lent: PoolConnectionProxy[asyncpg.Record]) -> bool:
    try:
        return lent.is_closed()
    except asyncpg.InterfaceError:
        return True  # the pool took it back when it broke


async def _leave_as_is(_: object) -> None:
    """Spare the statement that asyncpg sends on every return of a connection: nobody here changes a session.

    (An open transaction is still rolled back by asyncpg.)
    """


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of SQL, run once. `name` is `{owner}/{file}`; its checksum may never change once applied."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read_migrations(owner: str, folder: Path) -> list[Migration]:
    """Return the SQL files of `folder` in the order of their names."""
    return [
        Migration(f"{owner}/{file.name}", file.read_text("utf-8")) for file in sorted(folder.glob("*.sql"))
    ]


class MigrationChangedError(Exception):
    """A migration that was applied has another text now. Restore it and write a new one instead."""


async def migrate(database: Database, migrations: Sequence[Migration]) -> list[str]:
    """Apply what is missing, each in a transaction of its own, under a lock of the schema.

    Returns the names applied now. Raises MigrationChangedError before anything is applied if the text of an
    applied migration differs from the recorded checksum.
    """
    lock = f"SELECT {{}}(hashtextextended('migrate ' || '{database.schema}', 0))"
    async with database.connection() as connection:
        # A migration may take longer than a statement of the service, and another runner waits as long.
        await connection.execute(f"SET statement_timeout = {MIGRATION_WAIT_MS}")
        try:
            await connection.execute(lock.format("pg_advisory_lock"))
            try:
                return await _migrate_locked(connection, migrations)
            finally:
                await connection.execute(lock.format("pg_advisory_unlock"))
        finally:
            await connection.execute("RESET statement_timeout")


async def _migrate_locked(connection: Connection, migrations: Sequence[Migration]) -> list[str]:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS migration"
        " (name text PRIMARY KEY, checksum text NOT NULL, at timestamptz NOT NULL DEFAULT now())"
    )
    applied = {row["name"]: row["checksum"] for row in await connection.fetch("SELECT * FROM migration")}
    for migration in migrations:
        if applied.get(migration.name, migration.checksum) != migration.checksum:
            raise MigrationChangedError(f"{migration.name} was changed after it had been applied.")
    missing = [migration for migration in migrations if migration.name not in applied]
    for migration in missing:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO migration (name, checksum) VALUES ($1, $2)", migration.name, migration.checksum
            )
        logger.info("migration applied", migration=migration.name)
    return [migration.name for migration in missing]
