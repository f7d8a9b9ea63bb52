"""API keys: who may do what, for which tenant.

A key is `mc_{prefix}_{secret}`: eight characters that may be shown and logged, and 256 random bits. Its
SHA-256 is all that is ever stored (so much entropy needs no slow hash). The issuer service owns keys; every
service keeps the hashes from its events, and a revoked key is refused everywhere within 5 s.

Whoever tries keys is limited by address, before the database is asked; keys that were found once are not, so
that one who tries keys shuts out nobody behind the same address who holds one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared import clock
from shared.bus.consumer import Subscription
from shared.contracts.issuers import ApiKeyCreated, ApiKeyRevoked
from shared.database import Database
from shared.errors import Forbidden, Unauthenticated
from shared.eventstore import Recorded, Session
from shared.limits import RateLimit

PREFIX_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
PREFIX_CHARACTERS = 8
SECRET_BYTES = 32
TOKEN = re.compile(r"mc_([0-9a-z]{8})_[A-Za-z0-9_-]{43}")
CACHE_S_MAX = 2.0
CACHE_KEYS_MAX = 10_000
REFUSALS_PER_SECOND_MAX = 1.0
REFUSALS_BURST_MAX = 50
"""How many keys that are refused one client address may send."""


class Scope(StrEnum):
    """What a key may do. No scope contains another."""

    ASSESSMENTS_WRITE = "assessments:write"
    ASSESSMENTS_READ = "assessments:read"
    ACHIEVEMENTS_WRITE = "achievements:write"
    CREDENTIALS_READ = "credentials:read"
    CREDENTIALS_ISSUE = "credentials:issue"
    CREDENTIALS_REVOKE = "credentials:revoke"
    LEARNERS_ERASE = "learners:erase"
    SUBSCRIPTIONS_WRITE = "subscriptions:write"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at the only moment at which it is known: `token` goes to its holder and nowhere else."""

    token: str
    prefix: str
    sha256: str

    def __repr__(self) -> str:
        return f"NewKey(prefix={self.prefix!r})"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a request speaks for."""

    issuer_id: str
    prefix: str
    scopes: frozenset[str]

    @property
    def actor(self) -> str:
        """How events name the caller."""
        return f"api-key:{self.prefix}"


def new_key() -> NewKey:
    """Make a key. The caller shows `token` once and stores `sha256`."""
    prefix = "".join(secrets.choice(PREFIX_ALPHABET) for _ in range(PREFIX_CHARACTERS))
    secret = base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).rstrip(b"=").decode()
    token = f"mc_{prefix}_{secret}"
    return NewKey(token, prefix, fingerprint(token))


def fingerprint(token: str) -> str:
    """Return the SHA-256 (hex) of a key: what is stored."""
    return hashlib.sha256(token.encode()).hexdigest()


class Access:
    """Tells whether a request's key is good, from the service's own table `api_key`."""

    def __init__(self, database: Database, refusals: RateLimit | None = None) -> None:
        self._database = database
        self._refusals = refusals or RateLimit(REFUSALS_PER_SECOND_MAX, REFUSALS_BURST_MAX)
        self._found: OrderedDict[str, tuple[float, dict[str, Any]]] = OrderedDict()

    async def caller(self, authorization: str | None, scope: Scope, client: str) -> Caller:
        """Return whom `Authorization: Bearer mc_…` speaks for, as sent from the address `client`.

        Raises Unauthenticated for no key or one that is unknown, expired or revoked (never saying which),
        Forbidden for a good key without `scope`, and TooMany where refused keys of `client` came too often.
        """
        token, prefix = _bearer(authorization)
        row = await self._row(prefix, client)
        stored = row["sha256"] if row else "0" * 64
        if (
            not hmac.compare_digest(stored, fingerprint(token))
            or row is None
            or not _in_force(row, clock.now())
        ):
            self._refusals.spend(client)
            raise Unauthenticated("key-refused", "The API key is unknown, expired or revoked.")
        caller = Caller(row["issuer_id"], row["prefix"], frozenset(row["scopes"]))
        if scope not in caller.scopes:
            raise Forbidden("scope-missing", f"The API key lacks the scope {scope.value}.")
        return caller

    async def _row(self, prefix: str, client: str) -> dict[str, Any] | None:
        """Return the row of a key. Only rows that exist are cached: no scan can push them out."""
        now = time.monotonic()
        found = self._found.get(prefix)
        if found is None:
            self._refusals.demand(client)
        elif now - found[0] < CACHE_S_MAX:
            self._found.move_to_end(prefix)
            return found[1]
        async with self._database.connection() as connection:
            fetched = await connection.fetchrow("SELECT * FROM api_key WHERE prefix = $1", prefix)
        if fetched is None:
            self._found.pop(prefix, None)
            return None
        self._found[prefix] = (now, dict(fetched))
        self._found.move_to_end(prefix)
        if len(self._found) > CACHE_KEYS_MAX:
            self._found.popitem(last=False)
        return dict(fetched)


def _bearer(authorization: str | None) -> tuple[str, str]:
    """Return the token and its prefix; what does not look like a key never reaches the database."""
    scheme, _, token = (authorization or "").partition(" ")
    form = TOKEN.fullmatch(token)
    if scheme.lower() != "bearer" or form is None:
        raise Unauthenticated(
            "key-missing",
            "Send 'Authorization: Bearer mc_…'; an operator makes a key with 'microcred keys create'.",
        )
    return token, form[1]


def _in_force(row: dict[str, Any], at: datetime) -> bool:
    return bool(row["revoked_at"] is None and at < row["expires_at"])


KEEP = """
INSERT INTO api_key (prefix, issuer_id, sha256, label, scopes, created_at, expires_at)
SELECT prefix, issuer_id, sha256, label, string_to_array(scopes, ' '), created_at, expires_at
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[])
  AS made (prefix, issuer_id, sha256, label, scopes, created_at, expires_at)
ON CONFLICT (prefix) DO NOTHING
"""
REVOKE = """
UPDATE api_key SET revoked_at = ended.revoked_at
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS ended (issuer_id, prefix, revoked_at)
WHERE api_key.issuer_id = ended.issuer_id AND api_key.prefix = ended.prefix
"""


async def keep_api_keys(batch: Sequence[Recorded], session: Session, _: Any) -> None:
    """Project keys made and revoked into `api_key`, in two statements a batch.

    A key is made once and revoked once, after that.
    """
    made = [
        (recorded.issuer_id, event)
        for recorded in batch
        if isinstance(event := recorded.event, ApiKeyCreated)
    ]
    ended = [
        (recorded.issuer_id, event)
        for recorded in batch
        if isinstance(event := recorded.event, ApiKeyRevoked)
    ]
    if made:
        await session.connection.execute(
            KEEP,
            [key.prefix for _, key in made],
            [issuer_id for issuer_id, _ in made],
            [key.sha256 for _, key in made],
            [key.label for _, key in made],
            [" ".join(key.scopes) for _, key in made],
            [key.created_at for _, key in made],
            [key.expires_at for _, key in made],
        )
    if ended:
        await session.connection.execute(
            REVOKE,
            [issuer_id for issuer_id, _ in ended],
            [key.prefix for _, key in ended],
            [key.revoked_at for _, key in ended],
        )


def api_key_subscription(service: str) -> Subscription:
    """Return the lane by which a service knows the API keys; the issuer notes them when it makes them."""
    return Subscription(f"{service}.keep_api_keys", (ApiKeyCreated, ApiKeyRevoked), keep_api_keys)
