"""The vault: a key per learner, read in one statement, cached briefly, gone for ever when it is deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared import vault
from shared.database import Database
from shared.errors import StaleStream, Unavailable
from shared.sealing import MasterKey
from shared.vault import LearnerKeyOwner, LearnerKeys, LearnerRef
from tests.conftest import Roles

MASTER = MasterKey(b"\x07" * 32)
ADA: LearnerRef = ("acme", "ada")
BOB: LearnerRef = ("acme", "bob")


@pytest.fixture
async def owner(roles: Roles) -> AsyncIterator[Database]:
    """The assessor's database, which owns the vault."""
    async with await Database.open(roles.dsn("assessor"), "assessor") as database:
        yield database


@pytest.fixture
async def reader(roles: Roles, owner: Database) -> AsyncIterator[Database]:
    """The vault as issuer and notifier reach it."""
    async with await Database.open(roles.dsn("vault_reader"), "vault") as database:
        yield database


async def created(owner: Database, *learners: LearnerRef) -> dict[LearnerRef, bytes]:
    async with owner.session() as session:
        return await LearnerKeyOwner(MASTER).create(session.connection, learners)


async def deleted(owner: Database, learner: LearnerRef) -> bool:
    async with owner.session() as session:
        return await LearnerKeyOwner(MASTER).delete(session.connection, learner)


async def test_readers_get_the_keys_that_the_owner_made_and_none_for_others(
    owner: Database, reader: Database
) -> None:
    keys = await created(owner, ADA, BOB)
    assert len(set(keys.values())) == 2
    stranger = ("acme", "stranger")
    assert await LearnerKeys(reader, MASTER).of([BOB, ADA, stranger, ADA]) == {**keys, stranger: None}


async def test_equal_learner_ids_of_two_tenants_have_keys_of_their_own(
    owner: Database, reader: Database
) -> None:
    keys = await created(owner, ("acme", "ada"), ("other", "ada"))
    assert len(set(keys.values())) == 2
    assert await LearnerKeys(reader, MASTER).of([("third", "ada")]) == {("third", "ada"): None}


async def test_a_deleted_key_is_gone_and_deleting_it_again_says_so(owner: Database, reader: Database) -> None:
    await created(owner, ADA)
    assert await deleted(owner, ADA)
    assert not await deleted(owner, ADA)
    assert await LearnerKeys(reader, MASTER).of([ADA]) == {ADA: None}


async def test_a_cached_key_is_forgotten_on_request(owner: Database, reader: Database) -> None:
    keys = await created(owner, ADA)
    cached = LearnerKeys(reader, MASTER)
    await cached.of([ADA])
    await deleted(owner, ADA)
    assert await cached.of([ADA]) == keys
    cached.forget(ADA)
    cached.forget(ADA)
    assert await cached.of([ADA]) == {ADA: None}


async def test_a_cached_key_is_forgotten_after_a_minute_in_any_case(
    owner: Database, reader: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await created(owner, ADA)
    cached = LearnerKeys(reader, MASTER)
    await cached.of([ADA])
    await deleted(owner, ADA)
    assert vault.CACHE_S_MAX <= 60
    later = vault.time.monotonic() + vault.CACHE_S_MAX
    monkeypatch.setattr(vault.time, "monotonic", lambda: later)
    assert await cached.of([ADA]) == {ADA: None}


async def test_that_a_key_is_missing_is_not_cached(owner: Database, reader: Database) -> None:
    cached = LearnerKeys(reader, MASTER)
    assert await cached.of([ADA]) == {ADA: None}
    keys = await created(owner, ADA)
    assert await cached.of([ADA]) == keys


async def test_the_cache_is_bounded(
    owner: Database, reader: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault, "CACHE_KEYS_MAX", 3)
    learners = [("acme", str(number)) for number in range(10)]
    keys = await created(owner, *learners)
    cached = LearnerKeys(reader, MASTER)
    for learner in learners:
        assert await cached.of([learner]) == {learner: keys[learner]}
        assert len(cached._cache) <= 3


async def test_two_writers_never_both_think_that_their_key_is_the_learners(owner: Database) -> None:
    """Whoever loses the race must not seal anything: its key was never stored."""
    both = asyncio.Barrier(2)

    async def create() -> dict[LearnerRef, bytes]:
        async with owner.session() as session:
            await both.wait()
            return await LearnerKeyOwner(MASTER).create(session.connection, [ADA])

    ends = await asyncio.gather(create(), create(), return_exceptions=True)
    [won] = [end for end in ends if isinstance(end, dict)]
    assert [type(end) for end in ends if not isinstance(end, dict)] == [StaleStream]
    async with owner.session() as session:
        assert await LearnerKeyOwner(MASTER).read(session.connection, [ADA, BOB]) == won


async def test_a_creation_that_is_rolled_back_leaves_no_key(owner: Database, reader: Database) -> None:
    async def fail() -> None:
        async with owner.session() as session:
            await LearnerKeyOwner(MASTER).create(session.connection, [ADA])
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await LearnerKeys(reader, MASTER).of([ADA]) == {ADA: None}


async def test_no_key_lies_in_clear(owner: Database) -> None:
    keys = await created(owner, ADA, BOB)
    async with owner.connection() as connection:
        stored = [row[0] for row in await connection.fetch("SELECT wrapped_key FROM vault.learner_key")]
    assert len(stored) == 2
    assert not any(key in wrapped for key in keys.values() for wrapped in stored)


async def test_a_vault_that_is_away_is_unavailable_and_not_a_missing_key(
    owner: Database, reader: Database
) -> None:
    await reader.close()
    with pytest.raises(Unavailable):
        await LearnerKeys(reader, MASTER).of([ADA])
