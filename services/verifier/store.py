"""All SQL of the verifier's own tables.

Writing takes the tenant with every row. Reading does not: whoever verifies brings an address or a DID and
belongs to no tenant, and all that stands here is public. What a list says is believed only of credentials of
the issuer that signed it (domain.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.eventstore.log import Connection

LIST_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
READ_MODEL = ("status_list", "issuer", "issuer_key", "api_key")


@dataclass(frozen=True, slots=True)
class ListRow:
    """A version of a status list. `sha256` (hex) is that of the UTF-8 bytes of `credential`."""

    issuer_id: str
    list_id: str
    version: int
    credential: str
    sha256: str
    ttl_ms: int | None
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class IssuerRow:
    """A tenant: its DID and the name in its newest profile."""

    issuer_id: str
    did: str
    name: str
    profile_version: int


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A public key of a tenant; `key_id` is the full DID URL of its verification method.

    What bears a moment before `valid_from` or from `ends_at` on is not its work; if it was `compromised`, the
    work of whoever had it by then.
    """

    issuer_id: str
    key_id: str
    did: str
    public_key_multibase: str
    valid_from: datetime
    ends_at: datetime | None = None
    compromised: bool = False


@dataclass(frozen=True, slots=True)
class KeyEnd:
    """The end of a public key of a tenant."""

    issuer_id: str
    key_id: str
    ends_at: datetime
    compromised: bool


KEEP_LISTS = """
INSERT INTO status_list AS kept (issuer_id, list_id, version, credential, sha256, ttl_ms, valid_until)
SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::text[], $6::bigint[],
                     $7::timestamptz[])
ON CONFLICT (issuer_id, list_id) DO UPDATE
  SET version = excluded.version, credential = excluded.credential, sha256 = excluded.sha256,
      ttl_ms = excluded.ttl_ms, valid_until = excluded.valid_until
  WHERE kept.version < excluded.version
"""


async def keep_lists(connection: Connection, rows: Sequence[ListRow]) -> None:
    """Keep each list unless a newer version is kept already. One row a list: the newest of the batch."""
    await connection.execute(
        KEEP_LISTS,
        [row.issuer_id for row in rows],
        [row.list_id for row in rows],
        [row.version for row in rows],
        [row.credential for row in rows],
        [row.sha256 for row in rows],
        [row.ttl_ms for row in rows],
        [row.valid_until for row in rows],
    )


KEEP_ISSUERS = """
INSERT INTO issuer AS kept (issuer_id, did, name, profile_version)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int[])
ON CONFLICT (issuer_id) DO UPDATE
  SET did = excluded.did, name = excluded.name, profile_version = excluded.profile_version
  WHERE kept.profile_version < excluded.profile_version
"""


async def keep_issuers(connection: Connection, rows: Sequence[IssuerRow]) -> None:
    """Keep each tenant unless a newer profile is kept already. One row a tenant."""
    await connection.execute(
        KEEP_ISSUERS,
        [row.issuer_id for row in rows],
        [row.did for row in rows],
        [row.name for row in rows],
        [row.profile_version for row in rows],
    )


KEEP_KEYS = """
INSERT INTO issuer_key (issuer_id, key_id, did, public_key_multibase, valid_from)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
ON CONFLICT (issuer_id, key_id) DO NOTHING
"""


async def keep_keys(connection: Connection, rows: Sequence[KeyRow]) -> None:
    """Keep public keys; one that is kept already stays as it was first published."""
    await connection.execute(
        KEEP_KEYS,
        [row.issuer_id for row in rows],
        [row.key_id for row in rows],
        [row.did for row in rows],
        [row.public_key_multibase for row in rows],
        [row.valid_from for row in rows],
    )


END_KEYS = """
UPDATE issuer_key SET ends_at = ended.ends_at, compromised = ended.compromised
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::boolean[])
  AS ended (issuer_id, key_id, ends_at, compromised)
WHERE issuer_key.issuer_id = ended.issuer_id AND issuer_key.key_id = ended.key_id
"""


async def end_keys(connection: Connection, rows: Sequence[KeyEnd]) -> None:
    """Write down the ends of keys that are kept. One row a key: its last end."""
    await connection.execute(
        END_KEYS,
        [row.issuer_id for row in rows],
        [row.key_id for row in rows],
        [row.ends_at for row in rows],
        [row.compromised for row in rows],
    )


async def find_list(connection: Connection, list_id: str) -> ListRow | None:
    """The kept version of a list, or None. PostgreSQL never sees an id that is not one."""
    if not LIST_ID.fullmatch(list_id):
        return None
    row = await connection.fetchrow(
        "SELECT * FROM status_list WHERE list_id = $1 ORDER BY issuer_id LIMIT 1", list_id
    )
    return None if row is None else ListRow(**dict(row))


async def keys_of(connection: Connection, did: str) -> list[KeyRow]:
    """Every key ever published for `did`, oldest first."""
    rows = await connection.fetch("SELECT * FROM issuer_key WHERE did = $1 ORDER BY valid_from, key_id", did)
    return [KeyRow(**dict(row)) for row in rows]


async def tenant_of(connection: Connection, did: str) -> tuple[str, datetime] | None:
    """The name of the tenant with this DID and the day of its first key, or None for a stranger."""
    row = await connection.fetchrow(
        "SELECT name, min(valid_from) AS since FROM issuer JOIN issuer_key USING (issuer_id, did)"
        " WHERE did = $1 GROUP BY issuer_id, name ORDER BY issuer_id LIMIT 1",
        did,
    )
    return None if row is None else (row["name"], row["since"])


async def events_taken(connection: Connection, consumers: Sequence[str]) -> int:
    """Return how many events these lanes have taken since the last `forget_all`."""
    taken = await connection.fetchval("SELECT count(*) FROM inbox WHERE consumer = ANY($1)", consumers)
    return int(taken)


async def positions(connection: Connection, consumers: Sequence[str]) -> dict[str, int]:
    """Return how far these lanes have come, by the part of the bus that each cursor is of."""
    rows = await connection.fetch(
        "SELECT name, position FROM cursor WHERE split_part(name, '<', 1) = ANY($1)", consumers
    )
    return {row["name"]: row["position"] for row in rows}


async def forget_all(connection: Connection, consumers: Sequence[str]) -> None:
    """Empty the read model and put its lanes back to zero, for a replay from the log.

    Raising the epoch fences a member that is at work: it drops what it has in hand and starts from zero too.
    """
    await connection.execute(f"TRUNCATE {', '.join(READ_MODEL)}")
    await connection.execute("DELETE FROM inbox WHERE consumer = ANY($1)", consumers)
    await connection.execute("DELETE FROM dead_letter WHERE consumer = ANY($1)", consumers)
    await connection.execute(
        "UPDATE cursor SET position = 0, epoch = epoch + 1, held_until = '-infinity'"
        " WHERE split_part(name, '<', 1) = ANY($1)",
        consumers,
    )
