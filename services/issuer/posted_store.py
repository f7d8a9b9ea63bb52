"""The rows of posted credentials: of each its key, the truth that forgetting deletes, and its state."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from shared.contracts.credentials import StatusEntry
from shared.eventstore.log import Connection

PostedRef = tuple[str, str]
"""(issuer_id, credential_id)"""


@dataclass(frozen=True, slots=True)
class PostedRow:
    """A posted credential by the id that we gave it, and its place in a status list."""

    credential_id: str
    status: StatusEntry


async def insert_key(connection: Connection, ref: PostedRef, wrapped_key: bytes) -> bool:
    """Keep a new credential's key; False if there is one."""
    made = await connection.fetchval(
        "INSERT INTO posted_key (issuer_id, credential_id, wrapped_key) VALUES ($1, $2, $3)"
        " ON CONFLICT DO NOTHING RETURNING 1",
        *ref,
        wrapped_key,
    )
    return bool(made)


WRAPPED_KEYS = """
SELECT k.issuer_id, k.credential_id, k.wrapped_key
FROM unnest($1::text[], $2::uuid[]) AS wanted (issuer_id, credential_id)
JOIN posted_key k USING (issuer_id, credential_id)
"""


async def wrapped_keys(connection: Connection, refs: Iterable[PostedRef]) -> dict[PostedRef, bytes]:
    """Return the keys of those credentials that are not forgotten."""
    wanted = sorted(set(refs))
    rows = await connection.fetch(WRAPPED_KEYS, [ref[0] for ref in wanted], [ref[1] for ref in wanted])
    return {(row["issuer_id"], str(row["credential_id"])): row["wrapped_key"] for row in rows}


async def delete_key(connection: Connection, ref: PostedRef) -> None:
    """Forget what was posted, for ever."""
    await connection.execute("DELETE FROM posted_key WHERE issuer_id = $1 AND credential_id = $2", *ref)


async def posted(connection: Connection, issuer_id: str, credential_id: str) -> PostedRow | None:
    """Return a posted credential of the tenant."""
    return _row(
        await connection.fetchrow(
            "SELECT credential_id, list_id, list_index FROM posted_credential"
            " WHERE issuer_id = $1 AND credential_id = $2",
            issuer_id,
            credential_id,
        )
    )


async def posted_at_place(
    connection: Connection, issuer_id: str, list_id: str, list_index: int
) -> PostedRow | None:
    """Return the posted credential of the tenant that has a place in a status list."""
    return _row(
        await connection.fetchrow(
            "SELECT credential_id, list_id, list_index FROM posted_credential"
            " WHERE issuer_id = $1 AND list_id = $2 AND list_index = $3",
            issuer_id,
            list_id,
            list_index,
        )
    )


def _row(row: Any) -> PostedRow | None:
    if row is None:
        return None
    entry = StatusEntry(list_id=str(row["list_id"]), index=row["list_index"])
    return PostedRow(str(row["credential_id"]), entry)
