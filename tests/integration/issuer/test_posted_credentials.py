"""Credentials that callers write and post (VCALM): issued once, signed as they stand, revoked, forgotten."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from services.issuer.api.examples import POSTED, STATUS_UPDATE
from services.issuer.handlers.tenants import publish_profile
from shared.access import Scope
from shared.contracts.posted import (
    PostedCredentialIssued,
    PostedCredentialRevoked,
    PostedCredentialSigned,
)
from shared.proofs import vcdm
from shared.proofs.contexts import CREDENTIALS_V1, CREDENTIALS_V2, OPEN_BADGES_V3
from tests.integration.issuer.conftest import SETTLE_WAIT_S, Desk, client
from tests.integration.issuer.posting import NAME, PERSON, credential, end, forget, post


async def test_a_posted_credential_comes_back_as_it_was_with_what_an_issuer_adds(desk: Desk) -> None:
    did = await desk.tenant()
    async with desk.house() as house, client(house, await desk.api_key("oslo")) as http:
        answer = await post(http, credential())
    assert answer.status_code == 201, answer.text
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()["verifiableCredential"]
    posted = credential()
    assert {name: document[name] for name in posted} == posted
    assert document.keys() - posted.keys() == {"issuer", "validFrom", "credentialStatus", "proof"}
    assert document["issuer"] == did
    assert document["credentialStatus"]["type"] == "BitstringStatusListEntry"
    assert [proof["cryptosuite"] for proof in document["proof"]] == ["eddsa-rdfc-2022"]
    assert vcdm.problems(document) == []


async def test_no_id_is_invented_and_what_is_there_is_kept(desk: Desk) -> None:
    did = await desk.tenant()
    issuer = {"id": did, "name": "Oslo School"}
    moments = {"validFrom": "2026-01-01T00:00:00+01:00", "validUntil": "2026-02-01T00:00:00Z"}
    async with desk.house() as house, client(house, await desk.api_key("oslo")) as http:
        document = (await post(http, credential(id=None, issuer=issuer, **moments))).json()[
            "verifiableCredential"
        ]
    assert "id" not in document
    assert document["issuer"] == issuer
    assert {name: document[name] for name in moments} == moments


async def test_an_open_badge_gets_its_issuer_as_a_profile_and_is_held_to_its_schema(desk: Desk) -> None:
    did = await desk.tenant()
    badge = credential(
        **{
            "@context": [CREDENTIALS_V2, OPEN_BADGES_V3],
            "type": ["VerifiableCredential", "OpenBadgeCredential"],
            "name": "Heights",
            "credentialSubject": {
                "type": ["AchievementSubject"],
                "id": "did:example:learner",
                "achievement": {
                    "id": "https://example.org/heights",
                    "type": ["Achievement"],
                    "name": "Heights",
                    "description": "Works safely.",
                    "criteria": {"id": "https://example.org/heights#criteria", "narrative": "Climb."},
                },
            },
        }
    )
    async with desk.house() as house, client(house, await desk.api_key("oslo")) as http:
        document = (await post(http, badge)).json()["verifiableCredential"]
        del badge["credentialSubject"]["achievement"]["criteria"]
        refused = await post(http, {**badge, "id": f"{NAME}2"})
    assert (document["issuer"]["id"], document["issuer"]["type"]) == (did, ["Profile"])
    assert refused.status_code == 400
    assert "criteria" in refused.text


async def test_the_same_again_is_the_same_and_other_content_a_conflict(desk: Desk) -> None:
    await desk.tenant()
    async with desk.house() as house, client(house, await desk.api_key("oslo")) as http:
        first = await post(http, credential())
        again = await post(http, dict(reversed(credential().items())), credentialId=NAME)
        async with desk.database() as database:
            await publish_profile(database, "oslo", {"name": "Renamed"})
        later = await post(http, credential())
        other = await post(http, credential(name="Another"))
    assert first.content == again.content == later.content
    assert (other.status_code, other.json()["code"]) == (409, "credential-exists")
    assert len(await desk.log(PostedCredentialIssued)) == len(await desk.log(PostedCredentialSigned)) == 1


async def test_one_content_posted_at_the_same_moment_takes_one_place(desk: Desk) -> None:
    await desk.tenant()
    async with desk.house() as house, client(house, await desk.api_key("oslo")) as http:
        answers = await asyncio.gather(*(post(http, credential()) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    async with desk.database() as database, database.connection() as connection:
        assert await connection.fetchval("SELECT places_taken FROM tenant") == 1
        assert await connection.fetchval("SELECT count(*) FROM posted_key") == 1


async def test_an_option_names_what_has_no_id_and_without_either_each_is_another(desk: Desk) -> None:
    await desk.tenant()
    async with desk.house() as house, client(house, await desk.api_key("oslo")) as http:
        named = [await post(http, credential(id=None), credentialId="row 17") for _ in range(2)]
        nameless = [await post(http, credential(id=None)) for _ in range(2)]
        ended = await end(http, "row 17")
        entry = nameless[1].json()["verifiableCredential"]["credentialStatus"]
        by_entry = await end(http, entry["id"])
        forgotten = await forget(http, entry["id"])
        strange = await end(http, entry["id"].replace("#", "#9"))
    assert named[0].content == named[1].content
    assert nameless[0].content != nameless[1].content
    assert (ended.status_code, by_entry.status_code, forgotten.status_code) == (200, 200, 202)
    assert by_entry.json()["credentialStatus"] == entry
    assert strange.status_code == 404


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another issuer": ({"issuer": "did:web:elsewhere.example"}, "issuer-foreign"),
    "another issuer's profile": ({"issuer": {"id": "did:key:z6Mk", "type": "Profile"}}, "issuer-foreign"),
    "an issuer without id": ({"issuer": {"name": "Nobody"}}, "issuer-foreign"),
    "no context": ({"@context": None}, "context-missing"),
    "an unknown context": (
        {"@context": [CREDENTIALS_V2, "https://example.org/context"]},
        "context-unknown",
    ),
    "a context of its own": ({"@context": [CREDENTIALS_V2, {"x": "urn:x"}]}, "context-inline"),
    "a context as text": ({"@context": CREDENTIALS_V2}, "document-refused"),
    "the older data model": (
        {"@context": [CREDENTIALS_V1], "issuanceDate": "2026-01-01T00:00:00Z"},
        "document-refused",
    ),
    "an undefined term": ({"favourite": "blue"}, "data-loss"),
    "an undefined type": ({"type": ["VerifiableCredential", "Unheard"]}, "data-loss"),
    "a relative id": ({"id": "credentials/1"}, "document-refused"),
    "no subject": ({"credentialSubject": None}, "document-refused"),
    "an empty subject": ({"credentialSubject": {}}, "document-refused"),
    "null within": ({"credentialSubject": {"id": "did:example:x", "name": None}}, "data-loss"),
    "an end before its beginning": (
        {"validFrom": "2026-02-01T00:00:00Z", "validUntil": "2026-01-01T00:00:00Z"},
        "document-refused",
    ),
    "a moment without zone": ({"validFrom": "2026-02-01T00:00:00"}, "document-refused"),
    "a status of its own": (
        {"credentialStatus": {"type": "BitstringStatusListEntry"}},
        "credential-refused",
    ),
    "a proof": ({"proof": {"type": "DataIntegrityProof"}}, "credential-refused"),
    "an address of ours": (
        {"id": "https://badges.example.edu/credentials/11111111-2222-4333-8444-555555555555"},
        "credential-name",
    ),
    "a name that is too long": ({"id": "urn:x:" + "y" * 2_050}, "credential-name"),
}


async def test_what_may_not_be_signed_is_refused_and_leaves_no_trace(desk: Desk) -> None:
    await desk.tenant()
    async with desk.house() as house, client(house, await desk.api_key("oslo")) as http:
        for name, (change, code) in REFUSED.items():
            answer = await post(http, credential(**change))
            assert (answer.status_code, answer.json()["code"]) == (400, code), name
            assert answer.headers["content-type"] == "application/problem+json"
            assert PERSON not in answer.text
        await house.settled(SETTLE_WAIT_S)
    assert not await desk.log(PostedCredentialIssued)
    async with desk.database() as database, database.connection() as connection:
        assert await connection.fetchval("SELECT places_taken FROM tenant") == 0
        assert await connection.fetchval("SELECT count(*) FROM posted_key") == 0


BODIES: dict[str, bytes] = {
    "no JSON": b"{",
    "not UTF-8": b"\xff",
    "no object": b"[]",
    "no credential": b"{}",
    "a credential as text": b'{"credential": "x"}',
    "a key twice": b'{"credential": {"id": "urn:a", "id": "urn:b"}}',
    "an unknown member": json.dumps({"credential": credential(), "option": {}}).encode(),
    "an unknown option": json.dumps({"credential": credential(), "options": {"type": "x"}}).encode(),
    "selective disclosure": json.dumps(
        {"credential": credential(), "options": {"mandatoryPointers": ["/issuer"]}}
    ).encode(),
    "a second name": json.dumps(
        {"credential": credential(), "options": {"credentialId": "urn:other"}}
    ).encode(),
    "an empty name": json.dumps(
        {"credential": credential(id=None), "options": {"credentialId": ""}}
    ).encode(),
}


async def test_a_body_that_is_no_vcalm_request_is_refused_with_400(desk: Desk) -> None:
    await desk.tenant()
    headers = {"Content-Type": "application/json"}
    async with desk.house() as house, client(house, await desk.api_key("oslo")) as http:
        for name, body in BODIES.items():
            answer = await http.post("/issuer/credentials/issue", content=body, headers=headers)
            assert answer.status_code == 400, name
            assert answer.headers["content-type"] == "application/problem+json"
        large = json.dumps({"credential": credential(name="x" * 300_000)}).encode()
        answer = await http.post("/issuer/credentials/issue", content=large, headers=headers)
        assert answer.status_code == 413
    assert not await desk.log(PostedCredentialIssued)


async def test_two_tenants_share_no_name(desk: Desk) -> None:
    await desk.tenant("oslo")
    await desk.tenant("bergen")
    async with (
        desk.house() as house,
        client(house, await desk.api_key("oslo")) as oslo,
        client(house, await desk.api_key("bergen")) as bergen,
    ):
        ours = await post(oslo, credential())
        entry = ours.json()["verifiableCredential"]["credentialStatus"]["id"]
        for name in (NAME, entry):
            assert (await end(bergen, name)).status_code == 404
            assert (await forget(bergen, name)).status_code == 404
        theirs = await post(bergen, credential(name="Other content"))
        assert theirs.status_code == 201
        assert (await end(bergen, NAME)).status_code == 200
        assert (await forget(bergen, NAME)).status_code == 202
        assert (await post(oslo, credential())).content == ours.content
    (revoked,) = await desk.log(PostedCredentialRevoked)
    assert revoked.issuer_id == "bergen"


async def test_each_operation_demands_its_own_scope(desk: Desk) -> None:
    await desk.tenant()
    calls = {Scope.CREDENTIALS_ISSUE: post, Scope.CREDENTIALS_REVOKE: end, Scope.LEARNERS_ERASE: forget}
    arguments: dict[Scope, Any] = {Scope.CREDENTIALS_ISSUE: credential()}
    async with desk.house() as house:
        for scope, call in calls.items():
            others = [each for each in Scope if each is not scope]
            async with client(house) as nobody, client(house, await desk.api_key("oslo", *others)) as http:
                assert (await call(nobody, arguments.get(scope, NAME))).status_code == 401
                assert (await call(http, arguments.get(scope, NAME))).status_code == 403
            async with client(house, await desk.api_key("oslo", scope)) as http:
                assert (await call(http, arguments.get(scope, NAME))).status_code < 300


async def test_the_examples_of_the_api_page_work_when_pasted(desk: Desk) -> None:
    await desk.tenant()
    async with desk.house() as house, client(house, await desk.api_key("oslo")) as http:
        assert (await http.post("/issuer/credentials/issue", json=POSTED)).status_code == 201
        assert (await http.post("/issuer/credentials/status", json=STATUS_UPDATE)).status_code == 200
