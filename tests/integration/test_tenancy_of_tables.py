"""Every table and every unique key of the migrated house names the tenant, or stands below with its reason.

The lists are read off PostgreSQL's catalogue, not off the migrations: a table that a new service brings is
judged without anyone thinking of it. The reasons in full are in docs/adr/0008-tenants-and-addresses.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from services import SERVICES
from tests.conftest import Roles

EVERY_TABLE = 5 * len(SERVICES)
"""What shared/migrations alone must have made; fewer would mean that nothing was looked at."""

TENANTLESS_TABLES = {
    "inbox": "an event id belongs to one event, and that to one tenant; consumers serve all tenants",
    "cursor": "how far a consumer has read the logs of all tenants",
    "migration": "a schema's version; every tenant lives in the same schema",
    "installation": "the one address under which all tenants' documents were signed",
    "recognised_list": "whom the operator of the installation vouches for: issuers elsewhere, no tenants",
    "recognised_issuer": "as for recognised_list",
}
TENANTLESS_KEYS = {
    "event (position)": "one order of the whole log, by which consumers read it",
    "inbox (consumer, event_id)": "as for the table",
    "cursor (name)": "as for the table",
    "migration (name)": "as for the table",
    "installation (only_row)": "as for the table",
    "recognised_list (operator)": "as for the table",
    "recognised_issuer (operator, did)": "as for the table",
    "api_key (prefix)": "the prefix is how a request's key is found: the tenant is what the row tells",
}

TABLES = """
SELECT n.nspname AS schema, c.relname AS name,
       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'issuer_id'
               AND a.attnotnull AND NOT a.attisdropped) AS tenanted
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
"""
UNIQUE_KEYS = """
SELECT n.nspname AS schema, c.relname AS name,
       ARRAY(SELECT coalesce(a.attname, '(expression)')
             FROM unnest(i.indkey::int[]) WITH ORDINALITY AS k (number, place)
             LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
             WHERE k.place <= i.indnkeyatts ORDER BY k.place) AS columns
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.indisunique AND c.relkind IN ('r', 'p')
  AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
"""
BURY = """
INSERT INTO issuer.dead_letter (consumer, topic, partition, "offset", key, state, value, headers, error)
VALUES ('issuer.issue', 'assessments', 0, $1, $2, 'buried', '', '{}', 'bad') RETURNING issuer_id
"""


@pytest.fixture
async def house(roles: Roles) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection to a database in which every service has applied all of its migrations."""
    connection = await asyncpg.connect(roles.admin_dsn)
    yield connection
    await connection.close()


async def test_every_table_carries_the_tenant_or_has_a_reason_not_to(
    house: asyncpg.Connection[asyncpg.Record],
) -> None:
    rows = await house.fetch(TABLES)
    assert len(rows) > EVERY_TABLE
    assert {row["schema"] for row in rows} == {*SERVICES, "vault", "signing"}
    assert {row["name"] for row in rows if not row["tenanted"]} == TENANTLESS_TABLES.keys()


async def test_every_unique_key_carries_the_tenant_or_has_a_reason_not_to(
    house: asyncpg.Connection[asyncpg.Record],
) -> None:
    rows = await house.fetch(UNIQUE_KEYS)
    assert len(rows) > EVERY_TABLE
    without = {
        f"{row['name']} ({', '.join(row['columns'])})" for row in rows if "issuer_id" not in row["columns"]
    }
    assert without == TENANTLESS_KEYS.keys()


async def test_a_dead_letter_belongs_to_the_tenant_of_its_key_whatever_is_inserted(
    house: asyncpg.Connection[asyncpg.Record],
) -> None:
    assert await house.fetchval(BURY, 1, "riverside-college/assessment-1/2") == "riverside-college"
    assert await house.fetchval(BURY, 2, "no-slash") == "no-slash"
    with pytest.raises(asyncpg.GeneratedAlwaysError):
        await house.execute("UPDATE issuer.dead_letter SET issuer_id = 'north-academy'")
