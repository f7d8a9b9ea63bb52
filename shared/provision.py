"""Makes the roles and schemas that a PostgreSQL needs before the services can migrate it.

One login role and one schema per service; `bus_reader` may select from the event tables alone; `vault_reader`
from the learners' keys alone. deploy/postgres.sql is generated from the same statements.
"""

from __future__ import annotations

from collections.abc import Mapping

import asyncpg

SERVICE_ROLES = ("assessor", "issuer", "verifier", "notifier")
READER_ROLES = ("bus_reader", "vault_reader")
VAULT_OWNER = "assessor"


def statements(database: str) -> list[str]:
    """Return the SQL that prepares `database`; running it again changes nothing."""
    roles = [*SERVICE_ROLES, *READER_ROLES]
    made = [
        f"DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        for role in roles
    ]
    made.append(f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC')
    made += [f'GRANT CONNECT ON DATABASE "{database}" TO {role}' for role in roles]
    made.append("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    for role in SERVICE_ROLES:
        made.append(f"CREATE SCHEMA IF NOT EXISTS {role} AUTHORIZATION {role}")
        made.append(f"GRANT USAGE ON SCHEMA {role} TO bus_reader")
    made.append(f"CREATE SCHEMA IF NOT EXISTS vault AUTHORIZATION {VAULT_OWNER}")
    made.append("GRANT USAGE ON SCHEMA vault TO vault_reader")
    return made


async def provision(admin_dsn: str, passwords: Mapping[str, str]) -> None:
    """Run the statements as a superuser of the database in `admin_dsn` and set the roles' passwords."""
    connection = await asyncpg.connect(admin_dsn)
    try:
        database = await connection.fetchval("SELECT current_database()")
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('provision', 0))")
            for statement in statements(database):
                await connection.execute(statement)
            for role, password in passwords.items():
                literal = await connection.fetchval("SELECT quote_literal($1::text)", password)
                await connection.execute(f"ALTER ROLE {role} PASSWORD {literal}")
    finally:
        await connection.close()
