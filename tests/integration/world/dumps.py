"""Every byte that a database holds in its tables, for searching."""

from __future__ import annotations

import asyncpg

from services.world import DATABASE
from shared.embedded import Cluster

TABLES = """
SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1
"""


async def every_byte(cluster: Cluster | None) -> bytes:
    """Return all rows of all tables: as text, with every bytea column also as its raw bytes."""
    assert cluster is not None
    connection = await asyncpg.connect(cluster.dsn(DATABASE))
    try:
        found = bytearray()
        for table in await connection.fetch(TABLES):
            for row in await connection.fetch(f"SELECT * FROM {table['name']}"):
                for value in row.values():
                    found += value if isinstance(value, bytes) else str(value).encode()
                    found += b"\n"
        return bytes(found)
    finally:
        await connection.close()
