"""Where private keys come from: a schema of their own, which only the process that signs can reach.

A seed lies there sealed under the master key, or a key's name on a PKCS#11 token, apart from everything else
that the issuer stores: the role `issuer`, which answers callers and issues, may not enter the schema. An
opened key stays in this process; one on a token never leaves that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from services.issuer import signing_key_store
from services.issuer.settings import IssuerSettings
from services.issuer.signing_key_store import KeptKey
from services.issuer.store import KeyRef
from shared.database import Database, migrate, read_migrations
from shared.errors import Invalid, Unavailable
from shared.keys import EnvelopeSigner, Signer
from shared.sealing import MasterKey
from shared.tokens import Token

SCHEMA = "signing"
MIGRATIONS = Path(__file__).parent.parent / "signing_migrations"
CONNECTIONS_MAX = 2
SIGNERS_CACHED_MAX = 1_000


async def open_keys(settings: IssuerSettings) -> Database:
    """Connect to the schema of the private keys. Raises Unavailable, and Invalid where this is no signer."""
    if settings.signing_database_url is None:
        raise Invalid("signing-database-missing", "SIGNING_DATABASE_URL is not set: this is not the signer.")
    return await Database.open(settings.signing_database_url.get_secret_value(), SCHEMA, CONNECTIONS_MAX)


async def migrate_keys(database: Database) -> None:
    """Bring the schema of the private keys up to date."""
    await migrate(database, read_migrations(SCHEMA, MIGRATIONS))


@asynccontextmanager
async def migrated_keys(database: Database) -> AsyncIterator[None]:
    """A resource of the signer, entered before anything runs."""
    await migrate_keys(database)
    yield


def token_of(settings: IssuerSettings) -> Token | None:
    """The PKCS#11 token on which new keys are made, or None where they are kept in envelopes."""
    module, label, pin_file = settings.pkcs11_module, settings.pkcs11_token, settings.pkcs11_pin_file
    return None if module is None or label is None or pin_file is None else Token(module, label, pin_file)


class SigningKeys:
    """Signers by (issuer_id, key_id), opened once and kept in this process alone."""

    def __init__(self, database: Database, master_key: MasterKey, token: Token | None = None) -> None:
        self._database = database
        self._master_key = master_key
        self._token = token
        self._cache: dict[KeyRef, Signer] = {}

    async def of(self, keys: Iterable[KeyRef]) -> dict[KeyRef, Signer]:
        """Return the signer of each key. Raises Unavailable while one is not there or does not open."""
        wanted = set(keys)
        if missing := wanted - self._cache.keys():
            if len(self._cache) + len(missing) > SIGNERS_CACHED_MAX:
                self._cache.clear()
                missing = wanted
            async with self._database.connection() as connection:
                found = await signing_key_store.kept_keys(connection, missing)
            for key, kept in found.items():
                self._cache[key] = await self._open(kept, key[1])
        if not wanted <= self._cache.keys():
            raise Unavailable("A signing key is not available.")
        return {key: self._cache[key] for key in wanted}

    async def _open(self, kept: KeptKey, key_id: str) -> Signer:
        if kept.token_object is not None:
            if self._token is None:
                raise Unavailable("A signing key is on a PKCS#11 token, and PKCS11_MODULE is not set.")
            return await asyncio.to_thread(self._token.signer, kept.token_object)
        try:
            return EnvelopeSigner.open(self._master_key, kept.envelope or b"", key_id)
        except Invalid as cause:
            # The installation's fault and no record's: nothing may be buried for it.
            raise Unavailable("The master key does not open a signing key.") from cause
