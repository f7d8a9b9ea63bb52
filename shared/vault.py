"""The vault: one key per learner, so that forgetting a learner is deleting a key and the log stays whole.

The assessor owns the schema `vault` and alone writes it; issuer and notifier read it through a role that may
only select. Keys lie wrapped under the master key. "Key gone" is a value (None) that every reader handles:
the learner was forgotten. It is never an error.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

import asyncpg

from shared.database import Database
from shared.errors import Invalid, StaleStream, Unavailable
from shared.eventstore.log import Connection
from shared.sealing import KeyWrap, MasterKey

CACHE_S_MAX = 60.0
CACHE_KEYS_MAX = 50_000
KEY_BYTES = 32

LearnerRef = tuple[str, str]
"""(issuer_id, learner_id)"""

SELECT = """
SELECT k.issuer_id, k.learner_id, k.wrapped_key
FROM unnest($1::text[], $2::text[]) AS wanted (issuer_id, learner_id)
JOIN vault.learner_key k USING (issuer_id, learner_id)
"""
COLUMNS = ("issuer_id", "learner_id", "wrapped_key")
DELETE = "DELETE FROM vault.learner_key WHERE issuer_id = $1 AND learner_id = $2 RETURNING 1"


class LearnerKeys:
    """Reads learners' keys in batches, with a cache of at most CACHE_S_MAX seconds."""

    def __init__(self, database: Database, master_key: MasterKey) -> None:
        self._database = database
        self._kek = master_key.key_wrap("vault")
        self._cache: dict[LearnerRef, tuple[float, bytes]] = {}

    async def of(self, learners: Iterable[LearnerRef]) -> dict[LearnerRef, bytes | None]:
        """Return each learner's key, or None where it is gone. Raises Unavailable."""
        now = time.monotonic()
        found: dict[LearnerRef, bytes | None] = {}
        missing: list[LearnerRef] = []
        for ref in set(learners):
            cached = self._cache.get(ref)
            if cached is not None and now - cached[0] < CACHE_S_MAX:
                found[ref] = cached[1]
            else:
                found[ref] = None
                missing.append(ref)
        if missing:
            async with self._database.connection() as connection:
                read = await read_keys(connection, self._kek, sorted(missing))
            if len(self._cache) + len(read) > CACHE_KEYS_MAX:
                self._cache.clear()
            for ref, key in read.items():
                found[ref] = key
                self._cache[ref] = (now, key)
        return found

    def forget(self, learner: LearnerRef) -> None:
        """Drop a key from the cache: its learner was erased."""
        self._cache.pop(learner, None)


class LearnerKeyOwner:
    """Makes and deletes keys inside the owner's own transactions. The assessor alone has one."""

    def __init__(self, master_key: MasterKey) -> None:
        self._kek = master_key.key_wrap("vault")

    async def read(self, connection: Connection, learners: Iterable[LearnerRef]) -> dict[LearnerRef, bytes]:
        """Return the keys of those learners that have one."""
        return await read_keys(connection, self._kek, sorted(set(learners)))

    async def create(self, connection: Connection, learners: Iterable[LearnerRef]) -> dict[LearnerRef, bytes]:
        """Make a fresh key for each learner, none of whom may have one.

        Raises StaleStream if another writer made one meanwhile: what is sealed under a key that was not
        stored could never be opened again.
        """
        keys = {ref: os.urandom(KEY_BYTES) for ref in sorted(set(learners))}
        rows = [(*ref, self._kek.wrap(key, ref)) for ref, key in keys.items()]
        try:
            await connection.copy_records_to_table(
                "learner_key", schema_name="vault", records=rows, columns=COLUMNS
            )
        except asyncpg.UniqueViolationError as taken:
            raise StaleStream("Another writer made a key for one of these learners.") from taken
        return keys

    async def delete(self, connection: Connection, learner: LearnerRef) -> bool:
        """Forget a learner for ever. False if there was no key."""
        return bool(await connection.fetchval(DELETE, *learner))


async def read_keys(
    connection: Connection, kek: KeyWrap, learners: list[LearnerRef]
) -> dict[LearnerRef, bytes]:
    """Read and unwrap the keys of `learners`; those without a key are absent. Raises Unavailable."""
    rows = await connection.fetch(
        SELECT, [issuer_id for issuer_id, _ in learners], [learner_id for _, learner_id in learners]
    )
    refs = [(row["issuer_id"], row["learner_id"]) for row in rows]
    try:
        return {ref: kek.unwrap(row["wrapped_key"], ref) for ref, row in zip(refs, rows, strict=True)}
    except Invalid as cause:
        # The fault of the installation, never of a record: nothing may be buried for it.
        raise Unavailable("A learner's key does not open: is it the right master key?") from cause
