"""The issuer over HTTP: achievements, credentials, and the documents at public addresses."""

from __future__ import annotations

from typing import Any

import pytest

from services.issuer.api.examples import ACHIEVEMENT, ACHIEVEMENT_EXAMPLES, REVOCATION_EXAMPLES
from services.issuer.documents.credential import RENDERERS
from services.issuer.handlers.tenants import create_issuer, list_issuers, publish_profile
from services.issuer.settings import IssuerSettings
from shared import clock
from shared.access import Scope
from shared.contracts.credentials import CredentialIssued, CredentialSigned
from shared.errors import Conflict, Invalid
from shared.proofs import didkey, didweb
from tests.integration.issuer.conftest import SETTLE_WAIT_S, Desk, client, opened, take
from tests.unit.issuer.samples import PROFILE


async def test_an_achievement_is_published_and_stands_at_its_address(desk: Desk) -> None:
    await desk.tenant()
    token = await desk.api_key("oslo")
    async with desk.house() as house, client(house, token) as http:
        made = await http.post("/issuer/achievements", json=ACHIEVEMENT)
        assert made.status_code == 201
        answer = made.json()
        assert answer["version"] == 1
        page = await http.get(answer["url"])
        read = await http.get(f"/issuer/achievements/{answer['achievement_id']}")
    assert page.status_code == 200
    assert page.json()["id"] == answer["url"]
    assert page.json()["name"] == ACHIEVEMENT["name"]
    assert read.json() == answer


async def test_an_achievement_id_makes_publishing_repeatable(desk: Desk) -> None:
    await desk.tenant()
    token = await desk.api_key("oslo")
    body = {**ACHIEVEMENT, "achievement_id": str(clock.ordered_uuid())}
    async with desk.house() as house, client(house, token) as http:
        first = await http.post("/issuer/achievements", json=body)
        again = await http.post("/issuer/achievements", json=body)
        other = await http.post("/issuer/achievements", json={**body, "name": "Another"})
        random = {**body, "achievement_id": str(clock.random_uuid())}
        unordered = await http.post("/issuer/achievements", json=random)
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert first.json() == again.json()
    assert unordered.status_code == 422


async def test_versions_are_immutable_and_counted(desk: Desk) -> None:
    await desk.tenant()
    token = await desk.api_key("oslo")
    async with desk.house() as house, client(house, token) as http:
        first = (await http.post("/issuer/achievements", json=ACHIEVEMENT)).json()
        address = f"/issuer/achievements/{first['achievement_id']}/versions"
        second = await http.post(address, json={**ACHIEVEMENT, "name": "Second"})
        same = await http.post(address, json={**ACHIEVEMENT, "name": "Second"})
        listed = (await http.get(address)).json()["versions"]
        page = await http.get(first["url"])
        unknown = await http.post(f"/issuer/achievements/{clock.ordered_uuid()}/versions", json=ACHIEVEMENT)
    assert (second.status_code, second.json()["version"]) == (201, 2)
    assert (same.status_code, same.json()) == (200, second.json())
    assert [each["version"] for each in listed] == [2, 1]
    assert page.json()["name"] == ACHIEVEMENT["name"]
    assert unknown.status_code == 404


def rubric(criteria: list[tuple[str, list[int]]], weight: int = 1) -> dict[str, Any]:
    """A rubric of criteria, each with a level for each number of points, whose id the points make."""
    return {
        "rubric": {
            "pass_mark_percent": 50,
            "criteria": [
                {
                    "id": criterion,
                    "name": criterion,
                    "weight": weight,
                    "levels": [{"id": f"l{each}", "name": "A level", "points": each} for each in points],
                }
                for criterion, points in criteria
            ],
        }
    }


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "a misspelt member": ({"worklod_hours": 3}, "is not known here"),
    "a misspelt member deep within": (
        {"level": {"framework": "EQF", "value": "5", "url": "http://e.org/5", "nmae": "x"}},
        "body.level",
    ),
    "no address for a skill": (
        {"alignments": [{"target_name": "x", "target_url": "not a url"}]},
        "target_url",
    ),
    "a control character": ({"description": "bell \x07"}, "data-loss|json-character|control"),
    "a rubric that contradicts itself": ({"tags": ["a", "a"]}, "twice"),
    "a half credit": ({"credits": 1.5}, "credits"),
    "two criteria of one id": (rubric([("style", [0, 1]), ("style", [0, 1])]), "two criteria have one id"),
    "two levels of one id": (rubric([("style", [0, 1, 1])]), "style: two levels have one id"),
    "a criterion without points": (rubric([("style", [0, 0]), ("form", [0, 1])]), "style: no level gives"),
    "no weight": (rubric([("style", [0, 1])], weight=0), "body.rubric.criteria.0.weight"),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_an_achievement_of_which_no_badge_could_be_made_is_refused_with_reasons(
    desk: Desk, name: str
) -> None:
    await desk.tenant()
    token = await desk.api_key("oslo")
    change, reason = BROKEN[name]
    before = len(await desk.log())
    async with desk.house() as house, client(house, token) as http:
        answer = await http.post("/issuer/achievements", json={**ACHIEVEMENT, **change})
    assert answer.status_code == 422
    assert any(part in answer.text for part in reason.split("|")), answer.text
    assert len(await desk.log()) == before


async def test_another_tenants_achievement_is_unknown_and_its_id_cannot_be_taken(desk: Desk) -> None:
    await desk.tenant("oslo")
    await desk.tenant("bergen")
    keys = {slug: await desk.api_key(slug) for slug in ("oslo", "bergen")}
    body = {**ACHIEVEMENT, "achievement_id": str(clock.ordered_uuid())}
    async with desk.house() as house:
        async with client(house, keys["oslo"]) as http:
            url = (await http.post("/issuer/achievements", json=body)).json()["url"]
        async with client(house, keys["bergen"]) as http:
            seen = await http.get(f"/issuer/achievements/{body['achievement_id']}")
            version = await http.post(
                f"/issuer/achievements/{body['achievement_id']}/versions", json=ACHIEVEMENT
            )
            taken = await http.post("/issuer/achievements", json={**body, "name": "Bergen's"})
            page = await http.get(url)
    assert (seen.status_code, taken.status_code) == (404, 409)
    assert version.status_code in (404, 409)
    assert page.json()["name"] == ACHIEVEMENT["name"]


async def test_every_endpoint_that_writes_or_shows_metadata_demands_its_scope(desk: Desk) -> None:
    await desk.tenant()
    strange = await desk.api_key("oslo", Scope.ASSESSMENTS_READ)
    some = clock.ordered_uuid()
    calls = [
        ("POST", "/issuer/achievements", ACHIEVEMENT),
        ("POST", f"/issuer/achievements/{some}/versions", ACHIEVEMENT),
        ("GET", f"/issuer/achievements/{some}", None),
        ("GET", f"/issuer/achievements/{some}/versions", None),
        ("GET", "/issuer/credentials?assessment_id=a", None),
        ("GET", f"/issuer/credentials/{some}", None),
        ("POST", f"/issuer/credentials/{some}/revoke", {"reason": "misconduct"}),
    ]
    async with desk.house() as house, client(house) as nobody, client(house, strange) as other:
        for method, address, body in calls:
            assert (await nobody.request(method, address, json=body)).status_code == 401, address
            assert (await other.request(method, address, json=body)).status_code == 403, address


async def test_a_credential_that_is_not_signed_yet_says_when_to_come_back(desk: Desk) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement()
    await desk.passes(await desk.learner(), achievement_id, "a-1")
    async with opened(await desk.service()) as service:
        await take(service, "issuer.issue", await desk.passed())
        (intent,) = await desk.log(CredentialIssued)

        class Quiet:
            """The service without lanes, so that nothing signs."""

            services = (service,)
            stopping = False

        async with client(Quiet()) as http:  # type: ignore[arg-type]
            page = await http.get(f"/credentials/{intent.event.credential_id}")
    assert page.status_code == 503
    assert page.headers["retry-after"] == "2"


async def test_a_drifted_document_is_a_fault_and_never_served(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement()
    await desk.passes(await desk.learner(), achievement_id, "a-1")
    async with desk.house() as house, client(house) as http:
        await house.settled(SETTLE_WAIT_S)
        (signed,) = await desk.log(CredentialSigned)
        address = f"/credentials/{signed.event.credential_id}"
        assert (await http.get(address)).status_code == 200
        faithful = RENDERERS[1]
        monkeypatch.setitem(RENDERERS, 1, lambda facts: {**faithful(facts), "description": "New."})  # type: ignore[arg-type]
        page = await http.get(address)
    assert page.status_code == 500
    assert "proof" not in page.text


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*", "application/vc+ld+json"),
        ("application/vc", "application/vc"),
        ("application/ld+json, application/json", "application/ld+json"),
        ("text/html, application/json;q=0.9, */*;q=0.1", "application/json"),
        ("text/html", "application/vc+ld+json"),
        ("application/json;q=nonsense", "application/vc+ld+json"),
    ],
)
async def test_a_credential_is_sent_as_the_type_that_was_asked_for(
    desk: Desk, accept: str, expected: str
) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement()
    await desk.passes(await desk.learner(), achievement_id, "a-1")
    async with desk.house() as house, client(house) as http:
        await house.settled(SETTLE_WAIT_S)
        (signed,) = await desk.log(CredentialSigned)
        page = await http.get(f"/credentials/{signed.event.credential_id}", headers={"Accept": accept})
    assert page.headers["content-type"] == expected
    assert "no-cache" in page.headers["cache-control"]


async def test_an_issuer_under_https_is_a_did_web_that_resolves_at_its_address(desk: Desk) -> None:
    did = await desk.tenant()
    async with desk.house() as house, client(house) as http:
        document = (await http.get(didweb.document_url(did))).json()
        profile = (await http.get("/issuers/oslo")).json()
        unknown = await http.get("/issuers/nobody/did.json")
    (method,) = document["verificationMethod"]
    assert did == document["id"] == "did:web:badges.example.edu:issuers:oslo"
    assert method["id"] == f"{did}#{method['publicKeyMultibase']}"
    assert document["assertionMethod"] == [method["id"]]
    assert (profile["id"], profile["name"]) == (did, PROFILE.name)
    assert unknown.status_code == 404


async def test_an_issuer_without_https_is_a_did_key(desk: Desk) -> None:
    fields = {**dict(desk.settings), "environment": "development", "public_url": "http://localhost:8000"}
    settings = IssuerSettings(**fields)
    async with desk.database() as database:
        view = await create_issuer(database, settings, "oslo", PROFILE)
    async with desk.house(settings=settings) as house, client(house) as http:
        document = (await http.get("/issuers/oslo/did.json")).json()
    assert document == didkey.document(view.did)


async def test_making_an_issuer_twice_changes_nothing_and_a_new_profile_is_a_new_version(desk: Desk) -> None:
    await desk.tenant()
    before = len(await desk.log())
    other = PROFILE.model_copy(update={"name": "Oslo School"})
    async with desk.database() as database:
        again = await create_issuer(database, desk.settings, "oslo", PROFILE)
        assert not again.created
        assert len(await desk.log()) == before
        with pytest.raises(Conflict):
            await create_issuer(database, desk.settings, "oslo", other)
        with pytest.raises(Invalid):
            await create_issuer(database, desk.settings, "Oslo!", PROFILE)
        shown = await publish_profile(database, "oslo", {"name": "Oslo School"})
        (listed,) = await list_issuers(database)
    assert shown.profile_version == listed.profile_version == 2


async def test_a_credential_keeps_the_profile_it_was_issued_under(desk: Desk) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement()
    await desk.passes(await desk.learner(), achievement_id, "a-1")
    async with desk.house() as house, client(house) as http, desk.database() as database:
        await house.settled(SETTLE_WAIT_S)
        await publish_profile(database, "oslo", {"name": "Renamed"})
        (signed,) = await desk.log(CredentialSigned)
        page = await http.get(f"/credentials/{signed.event.credential_id}")
    assert page.json()["issuer"]["name"] == PROFILE.name


async def test_the_examples_of_the_api_pages_work_when_pasted(desk: Desk) -> None:
    await desk.tenant()
    token = await desk.api_key("oslo")
    async with desk.house() as house, client(house, token) as http:
        for example in ACHIEVEMENT_EXAMPLES.values():
            made = await http.post("/issuer/achievements", json=example["value"])
            assert made.status_code == 201
        await desk.passes(await desk.learner(), made.json()["achievement_id"], "a-1")
        await house.settled(SETTLE_WAIT_S)
        (signed,) = await desk.log(CredentialSigned)
        for example in REVOCATION_EXAMPLES.values():
            address = f"/issuer/credentials/{signed.event.credential_id}/revoke"
            assert (await http.post(address, json=example["value"])).status_code == 200
        schema = (await http.get("/issuer/openapi.json")).json()
    assert "PublishAchievement" in schema["components"]["schemas"]
