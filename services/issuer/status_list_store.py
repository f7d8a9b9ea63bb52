"""The rows of status lists: whoever publishes a list locks its row first, always in sorted order.

Whoever opens a tenant's next list locks the tenant. Its lists are opened in the order of their ordinals, so
that their number is the next one's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.issuer.indexes import CAPACITY
from shared.eventstore.log import Connection

ListKey = tuple[str, str]
"""(issuer_id, list_id)"""


@dataclass(frozen=True, slots=True)
class ListRow:
    """A status list at its newest version."""

    key: ListKey
    version: int
    bits: bytes


LOCK_LISTS = """
SELECT l.issuer_id, l.list_id, l.version, l.bits
FROM unnest($1::text[], $2::uuid[]) AS wanted (issuer_id, list_id)
JOIN status_list l USING (issuer_id, list_id)
ORDER BY 1, 2 FOR UPDATE OF l
"""


async def lock_lists(connection: Connection, keys: Iterable[ListKey]) -> list[ListRow]:
    """Lock the lists that exist among `keys`, in sorted order: one writer per list."""
    wanted = sorted(set(keys))
    rows = await connection.fetch(LOCK_LISTS, [key[0] for key in wanted], [key[1] for key in wanted])
    return [_list(row) for row in rows]


COMPROMISED = (
    "SELECT FROM issuer_key k WHERE k.retired_as = 'compromised' AND k.issuer_id = l.issuer_id"
    " AND k.key_id = ANY(l.key_id || l.more_key_ids)"
)
DUE = f"l.valid_until < $1 OR EXISTS ({COMPROMISED})"
COUNT_DUE = f"SELECT count(*) FROM status_list l WHERE {DUE}"  # noqa: S608
LOCK_DUE = (
    f"SELECT issuer_id, list_id, version, bits FROM status_list l WHERE {DUE}"  # noqa: S608
    " ORDER BY 1, 2 LIMIT $2 FOR UPDATE"
)


async def lock_due_lists(connection: Connection, moment: datetime, lists_max: int) -> list[ListRow]:
    """Lock up to `lists_max` lists that nobody will believe at `moment`.

    Their newest version ends before it, or bears the signature of a key that was compromised.
    """
    return [_list(row) for row in await connection.fetch(LOCK_DUE, moment, lists_max)]


async def count_due_lists(connection: Connection, moment: datetime) -> int:
    """Return how many lists are due for a new version."""
    return int(await connection.fetchval(COUNT_DUE, moment))


LISTS = "(SELECT count(*) FROM status_list l WHERE l.issuer_id = t.issuer_id)"
SHORT = f"t.places_taken + $1 > $2::bigint * {LISTS}"
COUNT_SHORT = f"SELECT count(*) FROM tenant t WHERE {SHORT}"  # noqa: S608 - our own text
LOCK_SHORT = f"SELECT issuer_id FROM tenant t WHERE {SHORT} ORDER BY 1 LIMIT $3 FOR UPDATE"  # noqa: S608
NEXT_ORDINALS = (
    f"SELECT issuer_id, {LISTS} AS ordinal FROM tenant t"  # noqa: S608
    f" WHERE {SHORT} AND issuer_id = ANY($3) ORDER BY 1"
)


async def lock_tenants_short_of(connection: Connection, places: int, tenants_max: int) -> list[str]:
    """Lock up to `tenants_max` tenants whose published lists have fewer free places; returns their ids."""
    rows = await connection.fetch(LOCK_SHORT, places, CAPACITY, tenants_max)
    return [row["issuer_id"] for row in rows]


async def next_ordinals(connection: Connection, issuer_ids: Iterable[str], places: int) -> dict[str, int]:
    """Return the ordinal of the next list of those of the (locked) tenants that are short of `places`."""
    rows = await connection.fetch(NEXT_ORDINALS, places, CAPACITY, list(issuer_ids))
    return {row["issuer_id"]: row["ordinal"] for row in rows}


async def count_tenants_short_of(connection: Connection, places: int) -> int:
    """Return how many tenants have fewer free places in published lists."""
    return int(await connection.fetchval(COUNT_SHORT, places, CAPACITY))


def _list(row: Any) -> ListRow:
    return ListRow((row["issuer_id"], str(row["list_id"])), row["version"], row["bits"])
