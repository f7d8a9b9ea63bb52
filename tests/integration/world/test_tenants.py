"""Two issuers in one world with equal ids of their own making: neither sees, changes, blocks or guesses.

Every operation of every service is asked, as its OpenAPI lists them: one that is added later and forgets its
guard, or looks something up without its tenant, fails here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import asyncpg
from fastapi import APIRouter
from fastapi.routing import APIRoute

from services.demo.provider import Provider
from services.demo.sample import PROFILE, SLUG, issuer_settings, sample_achievement
from services.issuer.api.examples import POSTED, STATUS_UPDATE
from services.issuer.handlers.api_keys import create_api_key, revoke_api_key
from services.issuer.handlers.tenants import create_issuer
from services.world import DATABASE, World
from shared import access
from shared.access import NewKey, Scope
from shared.clock import ordered_uuid
from shared.contracts.issuers import ApiKeyCreated
from shared.database import Database
from shared.embedded import Cluster
from shared.eventstore import Append, Meta
from tests.integration.world.conftest import PeopledWorld
from tests.integration.world.dumps import TABLES
from tests.integration.world.operations import Operation, Walker, walker

OTHER = "harbour-institute"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
THEIR_ACHIEVEMENT = "019aa000-0000-7000-8000-0000000000b1"
NO_ACHIEVEMENT = "019aa000-0000-7000-8000-0000000000c1"
"""Equally old, so that neither may still be on its way to the assessor."""
OPEN_TO_ALL = {
    "GET /issuers/{slug}",
    "GET /issuers/{slug}/did.json",
    "GET /achievements/{achievement_id}/{version}",
    "GET /credentials/{credential_id}",
    "GET /status/{list_id}",
    "POST /verifier/verify",
    "POST /verifier/credentials/verify",
    "POST /verifier/presentations/verify",
}
"""Public documents, and the verifier. Everything else needs a key: a new operation is not in this list."""

SCOPES = {
    "POST /assessor/assessments": Scope.ASSESSMENTS_WRITE,
    "POST /assessor/assessments/bulk": Scope.ASSESSMENTS_WRITE,
    "GET /assessor/assessments/{assessment_id}": Scope.ASSESSMENTS_READ,
    "GET /assessor/learners": Scope.ASSESSMENTS_READ,
    "DELETE /assessor/learners/{learner_id}": Scope.LEARNERS_ERASE,
    "POST /issuer/achievements": Scope.ACHIEVEMENTS_WRITE,
    "POST /issuer/achievements/{achievement_id}/versions": Scope.ACHIEVEMENTS_WRITE,
    "GET /issuer/achievements/{achievement_id}": Scope.ACHIEVEMENTS_WRITE,
    "GET /issuer/achievements/{achievement_id}/versions": Scope.ACHIEVEMENTS_WRITE,
    "GET /issuer/credentials": Scope.CREDENTIALS_READ,
    "GET /issuer/credentials/{credential_id}": Scope.CREDENTIALS_READ,
    "POST /issuer/credentials/{credential_id}/revoke": Scope.CREDENTIALS_REVOKE,
    "POST /issuer/credentials/issue": Scope.CREDENTIALS_ISSUE,
    "POST /issuer/credentials/status": Scope.CREDENTIALS_REVOKE,
    "DELETE /issuer/credentials/{credential_id}": Scope.LEARNERS_ERASE,
    "GET /notifier/subscriptions": Scope.SUBSCRIPTIONS_WRITE,
    "POST /notifier/subscriptions": Scope.SUBSCRIPTIONS_WRITE,
    "GET /notifier/subscriptions/{subscription_id}": Scope.SUBSCRIPTIONS_WRITE,
    "DELETE /notifier/subscriptions/{subscription_id}": Scope.SUBSCRIPTIONS_WRITE,
    "POST /notifier/subscriptions/{subscription_id}/rotate-secret": Scope.SUBSCRIPTIONS_WRITE,
    "GET /notifier/deliveries": Scope.CREDENTIALS_READ,
    "POST /notifier/deliveries/{notification_id}/retry": Scope.SUBSCRIPTIONS_WRITE,
}
"""The one scope that opens an operation."""

COLLECTIONS = {
    "GET /issuer/credentials": {"credentials": []},
    "GET /notifier/deliveries": [],
    "GET /notifier/subscriptions": [],
}
"""What the operations that search answer to a tenant who has nothing of the kind."""

MAKING = {
    "POST /assessor/assessments",
    "POST /assessor/assessments/bulk",
    "POST /issuer/achievements",
    "POST /issuer/credentials/issue",
    "POST /notifier/subscriptions",
}
"""Operations that make something under ids of the caller's own."""


@dataclass
class Tenant:
    """An issuer of the world with a key for everything, and what it has."""

    slug: str
    token: str
    provider: Provider
    achievement_id: str = THEIR_ACHIEVEMENT
    ids: dict[str, str | None] = field(default_factory=dict)


def bodies(world: PeopledWorld) -> dict[str, Any]:
    """Return a body that works for each operation that takes one, ids to be filled in."""
    definition, _ = sample_achievement()
    submission = world.assessment()
    submission |= {"assessment_id": "{assessment_id}", "achievement_id": "{achievement_id}"}
    return {
        "POST /assessor/assessments": submission,
        "POST /assessor/assessments/bulk": submission,
        "POST /issuer/achievements": definition,
        "POST /issuer/achievements/{achievement_id}/versions": definition,
        "POST /issuer/credentials/{credential_id}/revoke": {"reason": "misconduct"},
        "POST /issuer/credentials/issue": POSTED,
        "POST /issuer/credentials/status": STATUS_UPDATE | {"credentialId": "{credential_id}"},
        "POST /notifier/subscriptions": {"url": world.partner.url, "events": ["credential.revoked"]},
        "POST /verifier/verify": {},
        "POST /verifier/credentials/verify": {},
        "POST /verifier/presentations/verify": {},
    }


async def key(world: World, slug: str, scopes: list[Scope]) -> NewKey:
    """Make an API key of `slug`."""
    dsn = issuer_settings(world.folder).database_url.get_secret_value()
    async with await Database.open(dsn, "issuer", 2) as database:
        return await create_api_key(database, slug, "", scopes, 1)


async def expired_key(world: World, slug: str) -> NewKey:
    """Make an API key for everything that was good for one moment, which is over."""
    made = access.new_key()
    dsn = issuer_settings(world.folder).database_url.get_secret_value()
    async with await Database.open(dsn, "issuer", 2) as database, database.session() as session:
        event = ApiKeyCreated(
            prefix=made.prefix,
            sha256=made.sha256,
            label="",
            scopes=tuple(sorted(Scope)),
            created_at=session.at,
            expires_at=session.at,
        )
        meta = Meta("operator:test", str(ordered_uuid()))
        recorded = await session.append([Append(slug, event.stream, 0, (event,), meta)])
        await access.keep_api_keys(recorded, session, None)
    return made


async def revoked_key(world: World, slug: str) -> NewKey:
    """Make an API key for everything and revoke it."""
    made = await key(world, slug, list(Scope))
    dsn = issuer_settings(world.folder).database_url.get_secret_value()
    async with await Database.open(dsn, "issuer", 2) as database:
        await revoke_api_key(database, slug, made.prefix)
    return made


async def neighbour(world: PeopledWorld) -> Tenant:
    """Found a second issuer beside the sample one."""
    settings = issuer_settings(world.installation.folder)
    async with await Database.open(settings.database_url.get_secret_value(), "issuer", 2) as database:
        await create_issuer(database, settings, OTHER, PROFILE.model_copy(update={"name": "Harbour"}))
    token = (await key(world.installation, OTHER, list(Scope))).token
    await world.settled()
    return Tenant(OTHER, token, Provider(world.installation.address, token))


async def furnish(world: PeopledWorld, tenant: Tenant) -> None:
    """Give a tenant one thing of every kind, and note the ids."""
    definition, _ = sample_achievement()
    await tenant.provider.publish_achievement(definition, tenant.achievement_id)
    world.partner.trust(await tenant.provider.subscribe(world.partner.url))
    await world.settled()
    assessment = world.assessment(achievement_id=tenant.achievement_id, assessment_id="theirs-0001")
    assessment["learner"]["reference"] = "theirs"
    learner_id = (await tenant.provider.submit(assessment))["learner_id"]
    await world.settled()
    credential = await tenant.provider.credential_of("theirs-0001")
    connection = await superuser(world.installation.cluster)
    try:
        told = await connection.fetchrow(
            "SELECT notification_id, subscription_id FROM notifier.delivery"
            " WHERE issuer_id = $1 AND channel = 'webhook'",
            tenant.slug,
        )
    finally:
        await connection.close()
    tenant.ids = {
        "slug": tenant.slug,
        "achievement_id": tenant.achievement_id,
        "version": "1",
        "assessment_id": "theirs-0001",
        "learner_id": learner_id,
        "reference": "theirs",
        "email": None,
        "domain": None,
        "challenge": None,
        "credential_id": credential["credential_id"],
        "list_id": credential["status_list_url"].rpartition("/")[2],
        "subscription_id": str(told["subscription_id"]),
        "notification_id": str(told["notification_id"]),
    }


def ids_of_nobody() -> dict[str, str | None]:
    """Return ids of the same forms that nothing has."""
    return {
        "slug": "nobody",
        "achievement_id": NO_ACHIEVEMENT,
        "version": "1",
        "assessment_id": "nobodys-0001",
        "learner_id": UNKNOWN,
        "reference": "nobody",
        "email": None,
        "domain": None,
        "challenge": None,
        "credential_id": UNKNOWN,
        "list_id": UNKNOWN,
        "subscription_id": UNKNOWN,
        "notification_id": UNKNOWN,
    }


async def superuser(cluster: Cluster | None) -> asyncpg.Connection[Any]:
    assert cluster is not None
    return await asyncpg.connect(cluster.dsn(DATABASE))


async def rows_of(world: World, slug: str) -> dict[str, list[str]]:
    """Return every row of every table that belongs to a tenant."""
    connection = await superuser(world.cluster)
    try:
        found = {}
        for table in [row["name"] for row in await connection.fetch(TABLES)]:
            rows = await connection.fetch(
                f"SELECT t::text AS row FROM {table} t WHERE to_jsonb(t) ->> 'issuer_id' = $1 ORDER BY 1",
                slug,
            )
            found[table] = [row["row"] for row in rows]
        return found
    finally:
        await connection.close()


def without_ids(text: str, ids: dict[str, str | None]) -> str:
    """Return an answer with the ids that were asked for replaced, so that two can be compared."""
    for name, value in ids.items():
        if value and len(value) > 1:
            text = text.replace(value, f"<{name}>")
    return text


async def test_every_operation_that_is_not_public_demands_a_key_of_its_scope(world: PeopledWorld) -> None:
    tokens = {
        scope: ((await key(world.installation, SLUG, [scope])).token, await everything_but(world, scope))
        for scope in Scope
    }
    expired = (await expired_key(world.installation, SLUG)).token
    revoked = (await revoked_key(world.installation, SLUG)).token
    await world.settled()
    nobody = ids_of_nobody()
    check_none_is_hidden(world.installation)
    async with walker(world.installation, bodies(world)) as walk:
        found = await walk.operations(world.installation)
        assert {each.name for each in found} == OPEN_TO_ALL | SCOPES.keys()
        for operation in found:
            if operation.name in OPEN_TO_ALL:
                answer = await walk.ask(operation, nobody, None)
                assert answer.status_code not in (401, 403), operation.name
                continue
            only, all_but = tokens[SCOPES[operation.name]]
            for token in (None, expired, revoked, only[:-1] + ("A" if only[-1] != "A" else "B")):
                answer = await walk.ask(operation, nobody, token)
                assert answer.status_code == 401, operation.name
                assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert (await walk.ask(operation, nobody, all_but)).status_code == 403, operation.name
            assert (await walk.ask(operation, nobody, only)).status_code not in (401, 403), operation.name


async def everything_but(world: PeopledWorld, scope: Scope) -> str:
    """Return a key of the sample issuer with every scope except one."""
    return (await key(world.installation, SLUG, [each for each in Scope if each is not scope])).token


def check_none_is_hidden(world: World) -> None:
    """An operation that the OpenAPI leaves out would not be walked."""
    for service in world.house.services:
        for router in (service.api, service.public):
            assert all(route.include_in_schema for route in routes_of(router))


def routes_of(router: APIRouter) -> list[APIRoute]:
    """Return the routes of a router and of those that it includes."""
    found = []
    for route in router.routes:
        included = getattr(route, "original_router", None)
        found += routes_of(included) if included is not None else [route]
    assert all(isinstance(route, APIRoute) for route in found)
    return found


async def test_a_neighbours_ids_answer_as_if_they_did_not_exist(world: PeopledWorld) -> None:
    theirs = await neighbour(world)
    await furnish(world, theirs)
    before = await rows_of(world.installation, theirs.slug)
    assert sum(map(len, before.values())) > 10
    stranger = (await key(world.installation, SLUG, list(Scope))).token
    await world.provider.submit(world.assessment())
    await world.settled()
    async with walker(world.installation, bodies(world)) as walk:
        for operation in await walk.operations(world.installation):
            if operation.name not in OPEN_TO_ALL and operation.name not in MAKING:
                await check_nothing_is_told(walk, operation, theirs.ids, stranger)
    await world.settled()
    assert await rows_of(world.installation, theirs.slug) == before
    await theirs.provider.__aexit__()


async def check_nothing_is_told(
    walk: Walker, operation: Operation, ids: dict[str, str | None], token: str
) -> None:
    """Compare the answer to a neighbour's ids with the one to ids that nobody has."""
    nobody = ids_of_nobody()
    answer, other = await walk.ask(operation, ids, token), await walk.ask(operation, nobody, token)
    assert answer.status_code == other.status_code, operation.name
    assert without_ids(answer.text, ids) == without_ids(other.text, nobody), operation.name
    if operation.name == "GET /notifier/subscriptions":  # the tenant's own
        assert str(ids["subscription_id"]) not in answer.text
    elif operation.name in COLLECTIONS:
        assert answer.json() == COLLECTIONS[operation.name]
    else:
        assert answer.status_code == 404, operation.name


async def test_equal_ids_and_references_of_two_issuers_stay_apart(world: PeopledWorld) -> None:
    theirs = await neighbour(world)
    await furnish(world, theirs)
    ours = world.assessment(assessment_id="theirs-0001")
    ours["learner"] = {"reference": "theirs", "name": "Somebody Else", "email": "else@example.org"}
    answer = await world.provider.submit(ours)
    await world.settled()
    assert answer["outcome"] == "passed"
    assert answer["attempt"] == 1
    assert answer["learner_id"] != theirs.ids["learner_id"]
    assert await world.provider.learner_id("theirs") == answer["learner_id"]
    credential = await world.provider.credential_of("theirs-0001")
    assert credential["credential_id"] != theirs.ids["credential_id"]
    assert credential["status_list_url"].rpartition("/")[2] != theirs.ids["list_id"]
    await world.provider.revoke(credential["credential_id"], "misconduct")
    await world.provider.erase(answer["learner_id"])
    await world.settled()
    document = await world.provider.fetch(
        f"{world.installation.address}/credentials/{theirs.ids['credential_id']}"
    )
    assert (await world.provider.verify(document.content))["verdict"] == "valid"
    again = await theirs.provider.submit(
        world.assessment(achievement_id=theirs.achievement_id, assessment_id="theirs-0002")
    )
    assert again["outcome"] == "passed"
    await theirs.provider.__aexit__()


async def test_a_neighbours_achievement_can_be_neither_used_nor_taken_over(world: PeopledWorld) -> None:
    """Its id is no secret: it stands at a public address, which is why nobody else may have it."""
    theirs = await neighbour(world)
    await furnish(world, theirs)
    url = f"{world.installation.address}/achievements/{theirs.achievement_id}/1"
    published = (await world.provider.fetch(url)).content
    changed, _ = sample_achievement()
    changed["name"] = "Taken Over"
    async with walker(
        world.installation,
        bodies(world) | {"POST /issuer/achievements": changed | {"achievement_id": "{achievement_id}"}},
    ) as walk:
        by_name = {each.name: each for each in await walk.operations(world.installation)}
        token = (await key(world.installation, SLUG, list(Scope))).token
        await world.settled()
        taken = await walk.ask(by_name["POST /issuer/achievements"], theirs.ids, token)
        assert taken.status_code == 409
        assert taken.json()["code"] == "achievement-id-taken"
        for name in ("POST /assessor/assessments", "POST /assessor/assessments/bulk"):
            await check_used_for_nothing(walk, by_name[name], theirs.ids, token)
    assert (await world.provider.fetch(url)).content == published
    await theirs.provider.__aexit__()


async def check_used_for_nothing(
    walk: Walker, operation: Operation, ids: dict[str, str | None], token: str
) -> None:
    """An assessment against a neighbour's achievement is refused like one against none."""
    nobody = ids_of_nobody() | {"assessment_id": "ours-0001"}
    ids = ids | {"assessment_id": "ours-0001"}
    answer, other = await walk.ask(operation, ids, token), await walk.ask(operation, nobody, token)
    assert answer.status_code == other.status_code
    assert without_ids(answer.text, ids) == without_ids(other.text, nobody)
    assert "No such version of an achievement was published." in answer.text
