"""Roles: a service reaches its own schema alone, the bus events alone, vault readers learners' keys alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from shared.database import SHARED_MIGRATIONS, Database, migrate, read_migrations
from shared.provision import LOGIN_ROLES, SERVICE_ROLES, provision
from tests.conftest import PASSWORDS, Roles

OWN_TABLES = ("event", "inbox", "cursor", "dead_letter", "api_key", "migration")
VAULT = """
CREATE TABLE vault.learner_key (issuer_id text, learner_id text, wrapped_key bytea);
CREATE TABLE vault.other (secret text);
GRANT SELECT ON vault.learner_key TO vault_reader
"""
DENIED = asyncpg.InsufficientPrivilegeError


@pytest.fixture
async def migrated(database: str) -> Roles:
    """All four schemas with the shared tables, and a vault as the assessor makes it."""
    await provision(database, PASSWORDS)
    roles = Roles(database, PASSWORDS)
    for role in SERVICE_ROLES:
        async with await Database.open(roles.dsn(role), role) as own:
            await migrate(own, read_migrations("shared", SHARED_MIGRATIONS))
            if role == "assessor":
                async with own.connection() as connection:
                    await connection.execute(VAULT)
    return roles


@asynccontextmanager
async def connected(roles: Roles, role: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(roles.dsn(role))
    try:
        yield connection
    finally:
        await connection.close()


async def test_the_bus_reader_reads_every_log_and_nothing_else_anywhere(migrated: Roles) -> None:
    async with connected(migrated, "bus_reader") as reader:
        for schema in SERVICE_ROLES:
            assert await reader.fetch(f"SELECT * FROM {schema}.event") == []
            for table in OWN_TABLES[1:]:
                with pytest.raises(DENIED):
                    await reader.fetch(f"SELECT * FROM {schema}.{table}")
            with pytest.raises(DENIED):
                await reader.execute(f"DELETE FROM {schema}.event")
        with pytest.raises(DENIED):
            await reader.fetch("SELECT * FROM vault.learner_key")


async def test_the_vault_reader_reads_learners_keys_and_nothing_else_anywhere(migrated: Roles) -> None:
    async with connected(migrated, "vault_reader") as reader:
        assert await reader.fetch("SELECT * FROM vault.learner_key") == []
        for statement in ("SELECT * FROM vault.other", "DELETE FROM vault.learner_key"):
            with pytest.raises(DENIED):
                await reader.execute(statement)
        for schema in SERVICE_ROLES:
            for table in OWN_TABLES:
                with pytest.raises(DENIED):
                    await reader.fetch(f"SELECT * FROM {schema}.{table}")


@pytest.mark.parametrize("role", SERVICE_ROLES)
async def test_a_service_reaches_its_own_schema_alone(migrated: Roles, role: str) -> None:
    async with connected(migrated, role) as service:
        for table in OWN_TABLES:
            await service.fetch(f"SELECT * FROM {role}.{table}")
        for schema in SERVICE_ROLES:
            if schema != role:
                for table in OWN_TABLES:
                    with pytest.raises(DENIED):
                        await service.fetch(f"SELECT * FROM {schema}.{table}")
                with pytest.raises(DENIED):
                    await service.execute(f"CREATE TABLE {schema}.intruder (name text)")
        if role != "assessor":
            with pytest.raises(DENIED):
                await service.fetch("SELECT * FROM vault.learner_key")


@pytest.mark.parametrize("role", LOGIN_ROLES)
async def test_no_role_may_do_what_a_superuser_may(migrated: Roles, role: str) -> None:
    async with connected(migrated, role) as connection:
        row = await connection.fetchrow(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
            " FROM pg_roles WHERE rolname = current_user"
        )
        assert row is not None
        assert not any(row.values())
        for statement in ("CREATE TABLE public.intruder (name text)", "CREATE SCHEMA intruder"):
            with pytest.raises(DENIED):
                await connection.execute(statement)


async def test_a_stranger_to_the_database_may_not_connect(migrated: Roles) -> None:
    name = f"stranger_{uuid4().hex}"
    admin = await asyncpg.connect(migrated.admin_dsn)
    try:
        await admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'test'")
        parts = urlsplit(migrated.admin_dsn)
        host = parts.netloc.rpartition("@")[2]
        with pytest.raises(DENIED):
            await asyncpg.connect(parts._replace(netloc=f"{name}:test@{host}").geturl())
    finally:
        await admin.execute(f"DROP ROLE IF EXISTS {name}")
        await admin.close()


async def test_preparing_again_changes_nothing_but_the_passwords(migrated: Roles) -> None:
    await provision(migrated.admin_dsn, {"issuer": "it's new"})
    try:
        parts = urlsplit(migrated.dsn("issuer"))
        host = parts.netloc.rpartition("@")[2]
        connection = await asyncpg.connect(parts._replace(netloc=f"issuer:it%27s%20new@{host}").geturl())
        assert await connection.fetchval("SELECT count(*) FROM issuer.event") == 0
        await connection.close()
    finally:
        await provision(migrated.admin_dsn, {"issuer": "test"})


async def test_databases_of_one_server_can_be_prepared_at_once(postgres: str) -> None:
    """Roles belong to the whole server: two at once must wait for each other and not fail."""
    names = [f"test_{uuid4().hex}" for _ in range(4)]
    admin = await asyncpg.connect(postgres)
    try:
        for name in names:
            await admin.execute(f"CREATE DATABASE {name}")
        addresses = [urlsplit(postgres)._replace(path=f"/{name}").geturl() for name in names]
        await asyncio.gather(*(provision(address, PASSWORDS) for address in addresses))
    finally:
        for name in names:
            await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await admin.close()
