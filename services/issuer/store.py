"""The SQL of the issuer's own tables that have no file of their own, save the projections' writes.

Each statement takes the tenant. Exceptions are the public addresses of credentials and achievements, which
name no tenant: there the unguessable id is the key, and the row tells whose it is; and the installation's own
address, which is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.issuer.indexes import CAPACITY
from services.issuer.key_rules import PublishedKey
from shared.contracts.achievements import AchievementDefinition
from shared.contracts.issuers import IssuerProfile
from shared.errors import Conflict, Unavailable
from shared.eventstore.log import Connection

VersionKey = tuple[str, str, int]
"""(issuer_id, achievement_id, version)"""
ProfileKey = tuple[str, int]
"""(issuer_id, profile version)"""
KeyRef = tuple[str, str]
"""(issuer_id, key_id)"""


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant as it issues now: its wrapped secret, newest profile, and every key that it ever published."""

    issuer_id: str
    wrapped_secret: bytes
    did: str
    profile_version: int
    keys: tuple[PublishedKey, ...]


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """What is known about a credential without opening anything personal."""

    issuer_id: str
    credential_id: str
    assessment_id: str
    learner_id: str
    achievement_id: str
    achievement_version: int
    list_id: str
    list_index: int
    supersedes: str | None
    issued_at: datetime
    valid_until: datetime | None
    signed_at: datetime | None
    revoked_at: datetime | None
    revocation_reason: str | None


async def keep_public_url(connection: Connection, public_url: str) -> None:
    """Record the address of this installation, unless one is recorded."""
    await connection.execute(
        "INSERT INTO installation (public_url) VALUES ($1) ON CONFLICT DO NOTHING", public_url
    )


async def public_url(connection: Connection) -> str | None:
    """Return the recorded address of this installation; None before the first tenant."""
    return _text(await connection.fetchval("SELECT public_url FROM installation"))


async def insert_tenant(connection: Connection, issuer_id: str, wrapped_secret: bytes) -> None:
    """Reserve the slug. Raises Conflict if somebody makes the same tenant at this moment."""
    made = await connection.fetchval(
        "INSERT INTO tenant (issuer_id, wrapped_secret) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING 1",
        issuer_id,
        wrapped_secret,
    )
    if not made:
        raise Conflict("issuer-exists", "An issuer with this slug is being made at this moment.")


async def lock_tenant(connection: Connection, issuer_id: str) -> str | None:
    """Lock a tenant, so that its keys and what is begun under them take turns; returns its DID, or None."""
    await connection.execute("SELECT FROM tenant WHERE issuer_id = $1 FOR UPDATE", issuer_id)
    return _text(
        await connection.fetchval(
            "SELECT did FROM profile WHERE issuer_id = $1 ORDER BY version DESC LIMIT 1", issuer_id
        )
    )


TENANTS = """
SELECT t.issuer_id, t.wrapped_secret, p.version, p.did
FROM unnest($1::text[]) AS wanted (issuer_id)
JOIN tenant t USING (issuer_id)
JOIN LATERAL (
    SELECT version, did FROM profile WHERE issuer_id = t.issuer_id ORDER BY version DESC LIMIT 1
) p ON true
"""


async def tenants(connection: Connection, issuer_ids: Iterable[str]) -> dict[str, Tenant]:
    """Return the tenants that exist among `issuer_ids`."""
    rows = await connection.fetch(TENANTS, sorted(set(issuer_ids)))
    keys = await published_keys(connection, [row["issuer_id"] for row in rows])
    return {
        row["issuer_id"]: Tenant(
            row["issuer_id"],
            row["wrapped_secret"],
            row["did"],
            row["version"],
            keys[row["issuer_id"]],
        )
        for row in rows
    }


async def all_tenants(connection: Connection, tenants_max: int) -> list[Tenant]:
    """Return up to `tenants_max` tenants, by slug."""
    rows = await connection.fetch("SELECT issuer_id FROM tenant ORDER BY issuer_id LIMIT $1", tenants_max)
    found = await tenants(connection, [row["issuer_id"] for row in rows])
    return [found[issuer_id] for issuer_id in sorted(found)]


RESERVE = """
UPDATE tenant SET places_taken = tenant.places_taken + locked.number
FROM (
    SELECT t.issuer_id, wanted.number
    FROM unnest($1::text[], $2::bigint[]) AS wanted (issuer_id, number)
    JOIN tenant t USING (issuer_id) ORDER BY t.issuer_id FOR UPDATE OF t
) AS locked
WHERE tenant.issuer_id = locked.issuer_id AND tenant.places_taken + locked.number <= $3::bigint * (
    SELECT count(*) FROM status_list WHERE status_list.issuer_id = tenant.issuer_id
)
RETURNING tenant.issuer_id, tenant.places_taken - locked.number AS first
"""


async def reserve_places(connection: Connection, wanted: Mapping[str, int]) -> dict[str, int]:
    """Take `wanted[issuer_id]` places of each tenant in one UPDATE; returns the first of each range.

    Only published lists have places, so that no credential names a list that does not stand yet. Raises
    Unavailable while a tenant's lists do not hold that many: the signer opens the next.
    """
    issuer_ids = sorted(wanted)
    numbers = [wanted[issuer_id] for issuer_id in issuer_ids]
    rows = await connection.fetch(RESERVE, issuer_ids, numbers, CAPACITY)
    if len(rows) < len(issuer_ids):
        raise Unavailable("A status list is full and the next is not published yet.")
    return {row["issuer_id"]: row["first"] for row in rows}


DEFINITIONS = """
SELECT a.issuer_id, a.achievement_id, a.version, a.definition
FROM unnest($1::text[], $2::uuid[], $3::int[]) AS wanted (issuer_id, achievement_id, version)
JOIN achievement a USING (issuer_id, achievement_id, version)
"""


async def definitions(
    connection: Connection, keys: Iterable[VersionKey]
) -> dict[VersionKey, AchievementDefinition]:
    """Return the versions of achievements that exist among `keys`."""
    rows = await connection.fetch(DEFINITIONS, *columns_of(sorted(set(keys)), 3))
    return {
        (row["issuer_id"], str(row["achievement_id"]), row["version"]): _definition(row["definition"])
        for row in rows
    }


PROFILES = """
SELECT p.issuer_id, p.version, p.did, p.profile
FROM unnest($1::text[], $2::int[]) AS wanted (issuer_id, version) JOIN profile p USING (issuer_id, version)
"""


async def profiles(
    connection: Connection, keys: Iterable[ProfileKey]
) -> dict[ProfileKey, tuple[str, IssuerProfile]]:
    """Return (did, profile) of each version that exists among `keys`."""
    rows = await connection.fetch(PROFILES, *columns_of(sorted(set(keys)), 2))
    return {
        (row["issuer_id"], row["version"]): (row["did"], IssuerProfile.model_validate_json(row["profile"]))
        for row in rows
    }


async def newest_profile(connection: Connection, issuer_id: str) -> tuple[str, IssuerProfile] | None:
    """Return (did, profile) of the newest version."""
    row = await connection.fetchrow(
        "SELECT did, profile FROM profile WHERE issuer_id = $1 ORDER BY version DESC LIMIT 1", issuer_id
    )
    return (row["did"], IssuerProfile.model_validate_json(row["profile"])) if row is not None else None


KEY = "k.issuer_id, k.key_id, k.public_key_multibase, k.published_at, k.valid_from, k.ends_at, k.retired_as"
PUBLIC_KEYS = (
    f"SELECT {KEY} FROM unnest($1::text[], $2::text[]) AS wanted (issuer_id, key_id)"  # noqa: S608 - our text
    " JOIN issuer_key k USING (issuer_id, key_id)"
)


async def public_keys(connection: Connection, keys: Iterable[KeyRef]) -> dict[KeyRef, PublishedKey]:
    """Return the published keys that exist among `keys`."""
    rows = await connection.fetch(PUBLIC_KEYS, *columns_of(sorted(set(keys)), 2))
    return {(row["issuer_id"], row["key_id"]): _key(row) for row in rows}


async def published_keys(
    connection: Connection, issuer_ids: Iterable[str]
) -> dict[str, tuple[PublishedKey, ...]]:
    """Return every key that each tenant ever published, oldest first."""
    wanted = sorted(set(issuer_ids))
    rows = await connection.fetch(
        f"SELECT {KEY} FROM issuer_key k WHERE issuer_id = ANY($1) ORDER BY valid_from, key_id",  # noqa: S608
        wanted,
    )
    found: dict[str, list[PublishedKey]] = {issuer_id: [] for issuer_id in wanted}
    for row in rows:
        found[row["issuer_id"]].append(_key(row))
    return {issuer_id: tuple(keys) for issuer_id, keys in found.items()}


async def credential(connection: Connection, issuer_id: str, credential_id: str) -> CredentialRow | None:
    """Return one credential of the tenant."""
    row = await connection.fetchrow(
        "SELECT * FROM credential WHERE issuer_id = $1 AND credential_id = $2", issuer_id, credential_id
    )
    return _credential(row) if row is not None else None


async def credential_of_assessment(
    connection: Connection, issuer_id: str, assessment_id: str
) -> CredentialRow | None:
    """Return the tenant's credential for an assessment; there is at most one."""
    row = await connection.fetchrow(
        "SELECT * FROM credential WHERE issuer_id = $1 AND assessment_id = $2", issuer_id, assessment_id
    )
    return _credential(row) if row is not None else None


async def credential_at_address(connection: Connection, credential_id: str) -> CredentialRow | None:
    """Return the credential of a public address: the id is unguessable, and says whose it is."""
    row = await connection.fetchrow(
        "SELECT * FROM credential WHERE credential_id = $1 ORDER BY issuer_id LIMIT 1", credential_id
    )
    return _credential(row) if row is not None else None


async def lock_achievement_id(connection: Connection, issuer_id: str, achievement_id: str) -> None:
    """Take turns at an achievement id. Raises Conflict if it is the public address of another tenant's."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('achievement ' || $1, 0))", achievement_id
    )
    owner = await connection.fetchval(
        "SELECT issuer_id FROM achievement WHERE achievement_id = $1 LIMIT 1", achievement_id
    )
    if owner not in (None, issuer_id):
        raise Conflict("achievement-id-taken", "This achievement id is in use; let a new one be made.")


async def achievement_at_address(
    connection: Connection, achievement_id: str, version: int
) -> AchievementDefinition | None:
    """Return the version at a public address."""
    definition = await connection.fetchval(
        "SELECT definition FROM achievement WHERE achievement_id = $1 AND version = $2 LIMIT 1",
        achievement_id,
        version,
    )
    return _definition(definition) if definition is not None else None


async def achievement_versions(
    connection: Connection, issuer_id: str, achievement_id: str, versions_max: int
) -> list[tuple[int, datetime, AchievementDefinition]]:
    """Return (version, published_at, definition) of the newest versions, newest first."""
    rows = await connection.fetch(
        "SELECT version, published_at, definition FROM achievement"
        " WHERE issuer_id = $1 AND achievement_id = $2 ORDER BY version DESC LIMIT $3",
        issuer_id,
        achievement_id,
        versions_max,
    )
    return [(row["version"], row["published_at"], _definition(row["definition"])) for row in rows]


@dataclass(frozen=True, slots=True)
class ApiKeyRow:
    """An API key as its owner may see it."""

    prefix: str
    label: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


async def api_keys(connection: Connection, issuer_id: str, keys_max: int) -> list[ApiKeyRow]:
    """Return the tenant's API keys, newest first."""
    rows = await connection.fetch(
        "SELECT prefix, label, scopes, created_at, expires_at, revoked_at FROM api_key"
        " WHERE issuer_id = $1 ORDER BY created_at DESC, prefix LIMIT $2",
        issuer_id,
        keys_max,
    )
    return [
        ApiKeyRow(
            row["prefix"],
            row["label"],
            tuple(row["scopes"]),
            row["created_at"],
            row["expires_at"],
            row["revoked_at"],
        )
        for row in rows
    ]


def columns_of(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Return the rows as columns, for unnest; `width` empty columns for no rows."""
    return [[row[column] for row in rows] for column in range(width)]


def _definition(data: bytes) -> AchievementDefinition:
    return AchievementDefinition.model_validate_json(data)


def _text(value: Any) -> str | None:
    return str(value) if value is not None else None


def _key(row: Any) -> PublishedKey:
    return PublishedKey(
        row["key_id"],
        row["public_key_multibase"],
        row["published_at"],
        row["valid_from"],
        row["ends_at"],
        row["retired_as"],
    )


def _credential(row: Any) -> CredentialRow:
    return CredentialRow(
        row["issuer_id"],
        str(row["credential_id"]),
        row["assessment_id"],
        str(row["learner_id"]),
        str(row["achievement_id"]),
        row["achievement_version"],
        str(row["list_id"]),
        row["list_index"],
        _text(row["supersedes"]),
        row["issued_at"],
        row["valid_until"],
        row["signed_at"],
        row["revoked_at"],
        row["revocation_reason"],
    )
