"""API keys: who holds a good one may do what its scopes say, for one tenant, until it ends."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from shared import access, clock
from shared.access import Access, NewKey, Scope, api_key_subscription, keep_api_keys, new_key
from shared.contracts.issuers import ApiKeyCreated, ApiKeyRevoked
from shared.database import Database
from shared.errors import Forbidden, TooMany, Unauthenticated, Unavailable
from shared.eventstore import Append, Meta, Recorded
from shared.limits import RateLimit

META = Meta("operator:cli", "c-1")
READ = Scope.CREDENTIALS_READ
CLIENT = "192.0.2.1"
COUNT_STATEMENTS = """
CREATE SEQUENCE statements;
CREATE FUNCTION count_statement() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN PERFORM nextval('statements'); RETURN NULL; END $$;
CREATE TRIGGER counted AFTER INSERT OR UPDATE ON api_key
  FOR EACH STATEMENT EXECUTE FUNCTION count_statement();
"""


def created(key: NewKey, ends_in: timedelta = timedelta(days=1), *scopes: Scope) -> ApiKeyCreated:
    at = clock.now()
    return ApiKeyCreated(
        prefix=key.prefix,
        sha256=key.sha256,
        label="a test",
        scopes=tuple(scopes or (READ,)),
        created_at=at,
        expires_at=at + ends_in,
    )


async def heard(database: Database, tenant: str, *events: ApiKeyCreated | ApiKeyRevoked) -> list[Recorded]:
    """Project events as the lane `keep_api_keys` does."""
    async with database.session() as session:
        recorded = await session.append(
            [Append(tenant, f"test-{clock.ordered_uuid()}", 0, (event,), META) for event in events]
        )
        await keep_api_keys(recorded, session, None)
    return recorded


async def test_a_good_key_speaks_for_its_tenant_and_names_its_actor(issuer: Database) -> None:
    key = new_key()
    await heard(issuer, "acme", created(key, timedelta(days=1), READ, Scope.CREDENTIALS_REVOKE))
    caller = await Access(issuer).caller(f"Bearer {key.token}", READ, CLIENT)
    assert caller.issuer_id == "acme"
    assert caller.actor == f"api-key:{key.prefix}"
    assert caller.scopes == {READ, Scope.CREDENTIALS_REVOKE}


async def test_a_scheme_is_read_in_any_case(issuer: Database) -> None:
    key = new_key()
    await heard(issuer, "acme", created(key))
    assert (await Access(issuer).caller(f"bearer {key.token}", READ, CLIENT)).prefix == key.prefix


@pytest.mark.parametrize("scope", [scope for scope in Scope if scope is not READ])
async def test_a_good_key_without_the_scope_is_forbidden(issuer: Database, scope: Scope) -> None:
    key = new_key()
    await heard(issuer, "acme", created(key))
    with pytest.raises(Forbidden) as refusal:
        await Access(issuer).caller(f"Bearer {key.token}", scope, CLIENT)
    assert scope.value in refusal.value.message


async def test_every_bad_key_gets_the_same_answer(issuer: Database) -> None:
    good, expired, revoked = new_key(), new_key(), new_key()
    await heard(
        issuer,
        "acme",
        created(good),
        created(expired, timedelta(seconds=-1)),
        created(revoked),
        ApiKeyRevoked(prefix=revoked.prefix, revoked_at=clock.now()),
    )
    unknown = new_key()
    guessed = good.token[:-1] + ("A" if good.token[-1] != "A" else "B")
    answers = set()
    for token in (expired.token, revoked.token, unknown.token, guessed):
        with pytest.raises(Unauthenticated) as refusal:
            await Access(issuer).caller(f"Bearer {token}", READ, CLIENT)
        answers.add((refusal.value.code, refusal.value.message))
    assert answers == {("key-refused", "The API key is unknown, expired or revoked.")}


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer secret",
        "Bearer mc_abcdefgh",
        "Bearer mc_abcdefgh_",
        "Bearer mc_abcdefgh_" + "x" * 44,
        "Bearer mc_abcdefgh_" + "x" * 42 + "é",
        "Bearer mc_ABCDEFGH_" + "x" * 43,
        "Bearer mc_abcdefgh_" + "x" * 43 + "\n",
        "Basic mc_abcdefgh_" + "x" * 43,
        "Bearer " + "mc_" * 10_000,
    ],
)
async def test_what_is_no_key_is_refused_before_the_database_is_asked(
    issuer: Database, authorization: str | None
) -> None:
    await issuer.close()
    with pytest.raises(Unauthenticated) as refusal:
        await Access(issuer).caller(authorization, READ, CLIENT)
    assert refusal.value.code == "key-missing"


async def test_a_revocation_is_in_effect_when_the_cache_ends(
    issuer: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = new_key()
    await heard(issuer, "acme", created(key))
    access_of_service = Access(issuer)
    await access_of_service.caller(f"Bearer {key.token}", READ, CLIENT)
    await heard(issuer, "acme", ApiKeyRevoked(prefix=key.prefix, revoked_at=clock.now()))
    assert access.CACHE_S_MAX < 5.0
    later = access.time.monotonic() + access.CACHE_S_MAX
    monkeypatch.setattr(access.time, "monotonic", lambda: later)
    with pytest.raises(Unauthenticated):
        await access_of_service.caller(f"Bearer {key.token}", READ, CLIENT)


async def test_an_expiry_is_in_effect_even_while_the_key_is_cached(
    issuer: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = new_key()
    await heard(issuer, "acme", created(key, timedelta(minutes=1)))
    access_of_service = Access(issuer)
    await access_of_service.caller(f"Bearer {key.token}", READ, CLIENT)

    def in_a_minute() -> datetime:
        return datetime.fromtimestamp(clock.datetime.now(clock.UTC).timestamp() + 60, clock.UTC)

    monkeypatch.setattr(access.clock, "now", in_a_minute)
    with pytest.raises(Unauthenticated):
        await access_of_service.caller(f"Bearer {key.token}", READ, CLIENT)


async def test_another_tenant_cannot_revoke_a_key(issuer: Database) -> None:
    key = new_key()
    await heard(issuer, "acme", created(key))
    await heard(issuer, "other", ApiKeyRevoked(prefix=key.prefix, revoked_at=clock.now()))
    assert (await Access(issuer).caller(f"Bearer {key.token}", READ, CLIENT)).issuer_id == "acme"


async def test_another_tenant_cannot_take_over_a_prefix(issuer: Database) -> None:
    key = new_key()
    await heard(issuer, "acme", created(key))
    await heard(issuer, "other", created(key))
    assert (await Access(issuer).caller(f"Bearer {key.token}", READ, CLIENT)).issuer_id == "acme"


async def test_keys_made_and_revoked_in_one_batch_end_revoked_and_a_replay_changes_nothing(
    issuer: Database,
) -> None:
    key = new_key()
    recorded = await heard(
        issuer, "acme", created(key), ApiKeyRevoked(prefix=key.prefix, revoked_at=clock.now())
    )
    async with issuer.session() as session:
        await keep_api_keys(recorded, session, None)
    with pytest.raises(Unauthenticated):
        await Access(issuer).caller(f"Bearer {key.token}", READ, CLIENT)


def stingy(refused_keys: int) -> RateLimit:
    """A limit that never refills."""
    return RateLimit(1.0, refused_keys, monotonic=lambda: 0.0)


async def refuse(access_of_service: Access, times: int, client: str = CLIENT) -> None:
    """Send keys that nobody made, as one who scans would."""
    for _ in range(times):
        with pytest.raises(Unauthenticated):
            await access_of_service.caller(f"Bearer {new_key().token}", READ, client)


async def test_whoever_sends_too_many_refused_keys_must_wait_and_no_longer_reaches_the_database(
    issuer: Database,
) -> None:
    access_of_service = Access(issuer, stingy(3))
    await refuse(access_of_service, 3)
    await refuse(access_of_service, 1, "192.0.2.2")
    await issuer.close()
    with pytest.raises(TooMany):
        await access_of_service.caller(f"Bearer {new_key().token}", READ, CLIENT)


async def test_guesses_at_the_secret_of_a_key_are_limited_too(issuer: Database) -> None:
    key = new_key()
    await heard(issuer, "acme", created(key))
    access_of_service = Access(issuer, stingy(3))
    guess = f"Bearer mc_{key.prefix}_{'x' * 43}"
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            await access_of_service.caller(guess, READ, CLIENT)
    with pytest.raises(TooMany):
        await access_of_service.caller(guess, READ, CLIENT)


async def test_good_keys_cost_no_refusal_however_often_they_come(issuer: Database) -> None:
    keys = [new_key() for _ in range(5)]
    await heard(issuer, "acme", *(created(key) for key in keys))
    access_of_service = Access(issuer, stingy(1))
    for key in keys * 2:
        assert (await access_of_service.caller(f"Bearer {key.token}", READ, CLIENT)).prefix == key.prefix
    with pytest.raises(Forbidden):
        await access_of_service.caller(f"Bearer {keys[0].token}", Scope.LEARNERS_ERASE, CLIENT)
    await refuse(access_of_service, 1)


async def test_a_known_key_is_served_while_others_of_its_address_scan(
    issuer: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = new_key()
    await heard(issuer, "acme", created(key))
    access_of_service = Access(issuer, stingy(2))
    await access_of_service.caller(f"Bearer {key.token}", READ, CLIENT)
    await refuse(access_of_service, 2)
    later = access.time.monotonic() + access.CACHE_S_MAX
    monkeypatch.setattr(access.time, "monotonic", lambda: later)
    assert (await access_of_service.caller(f"Bearer {key.token}", READ, CLIENT)).prefix == key.prefix


async def test_unknown_keys_push_no_good_key_out_of_the_cache(
    issuer: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "CACHE_KEYS_MAX", 2)
    monkeypatch.setattr(access, "CACHE_S_MAX", 3_600.0)
    key = new_key()
    await heard(issuer, "acme", created(key))
    access_of_service = Access(issuer, stingy(10))
    await access_of_service.caller(f"Bearer {key.token}", READ, CLIENT)
    await refuse(access_of_service, 5)
    await issuer.close()
    assert (await access_of_service.caller(f"Bearer {key.token}", READ, CLIENT)).prefix == key.prefix


async def test_the_cache_is_bounded_and_the_key_longest_unused_leaves_it(
    issuer: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "CACHE_KEYS_MAX", 2)
    monkeypatch.setattr(access, "CACHE_S_MAX", 3_600.0)
    keys = [new_key() for _ in range(3)]
    await heard(issuer, "acme", *(created(key) for key in keys))
    access_of_service = Access(issuer)
    for key in (keys[0], keys[1], keys[0], keys[2]):
        await access_of_service.caller(f"Bearer {key.token}", READ, CLIENT)
    await issuer.close()
    for key in (keys[0], keys[2]):
        await access_of_service.caller(f"Bearer {key.token}", READ, CLIENT)
    with pytest.raises(Unavailable):
        await access_of_service.caller(f"Bearer {keys[1].token}", READ, CLIENT)


async def test_a_batch_of_keys_takes_two_statements_and_each_keeps_its_own_tenant_scopes_and_end(
    issuer: Database,
) -> None:
    async with issuer.connection() as connection:
        await connection.execute(COUNT_STATEMENTS)
    wanted = [("acme", (READ,)), ("other", (READ, Scope.LEARNERS_ERASE)), ("third", tuple(Scope))]
    keys = [new_key() for _ in wanted]
    made = [
        (tenant, created(key, timedelta(days=1), *scopes))
        for key, (tenant, scopes) in zip(keys, wanted, strict=True)
    ]
    gone = [new_key(), new_key()]
    made += [("acme", created(key)) for key in gone]
    ended = [("acme", ApiKeyRevoked(prefix=key.prefix, revoked_at=clock.now())) for key in gone]
    async with issuer.session() as session:
        recorded = await session.append(
            [
                Append(tenant, f"test-{clock.ordered_uuid()}", 0, (event,), META)
                for tenant, event in made + ended
            ]
        )
        await keep_api_keys(recorded, session, None)
    for key, (tenant, scopes) in zip(keys, wanted, strict=True):
        caller = await Access(issuer).caller(f"Bearer {key.token}", READ, CLIENT)
        assert (caller.issuer_id, caller.scopes) == (tenant, set(scopes))
    for key in gone:
        with pytest.raises(Unauthenticated):
            await Access(issuer).caller(f"Bearer {key.token}", READ, CLIENT)
    async with issuer.connection() as connection:
        assert await connection.fetchval("SELECT last_value FROM statements") == 2


async def test_only_hashes_are_stored(issuer: Database) -> None:
    key = new_key()
    await heard(issuer, "acme", created(key))
    async with issuer.connection() as connection:
        stored = await connection.fetchval(
            "SELECT string_agg(k::text, '') || (SELECT string_agg(convert_from(data, 'UTF8'), '') FROM event)"
            " FROM api_key k"
        )
    assert key.prefix in stored
    assert key.sha256 in stored
    assert key.token.split("_", 2)[2] not in stored


def test_a_key_holds_256_random_bits_and_its_representation_holds_none() -> None:
    keys = {new_key() for _ in range(50)}
    assert len({key.token for key in keys}) == 50
    for key in keys:
        assert access.TOKEN.fullmatch(key.token)
        assert key.token.split("_", 2)[2] not in repr(key)


def test_every_service_has_the_lane_under_its_own_name() -> None:
    assert api_key_subscription("verifier").name == "verifier.keep_api_keys"
