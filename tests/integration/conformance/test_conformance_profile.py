"""The conformance profile, asked as the W3C suites ask it."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
import pytest_asyncio

from services.conformance.app import conformance_app, conformance_suites
from services.conformance.shape import CREDENTIALS_V1, DATA_INTEGRITY_V2, EXAMPLES_V2
from shared.proofs.bitstring import decode
from shared.proofs.contexts import CREDENTIALS_V2
from shared.proofs.multikey import encode_multibase
from shared.proofs.suites import SUITES
from shared.proofs.workers import CanonicalWorkers
from tests.unit.verifier.credentials import Signer

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADDRESS = "https://127.0.0.1:40443"
V2_DIGEST = "sha384-l/HrjlBCNWyAX91hr6LFV2Y3heB5Tcr6IeE4/Tje8YyzYBM8IhqjHWiWpr8+ZbYU"
HOLDER = Signer(5)
SHORT = "did:key:" + encode_multibase(b"\xed\x01" + bytes(31))
LANGUAGE = {"@value": "x", "@language": "en", "@direction": "ltr"}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with CanonicalWorkers(1, suites=conformance_suites()) as workers:
        transport = httpx2.ASGITransport(app=conformance_app(workers, ADDRESS))
        async with httpx2.AsyncClient(transport=transport, base_url=ADDRESS) as opened:
            yield opened


async def issuer(client: httpx2.AsyncClient, cryptosuite: str = "eddsa-rdfc-2022") -> str:
    return str((await client.get("/")).json()[cryptosuite])


def credential(issuer_id: Any, **members: Any) -> dict[str, Any]:
    """What the suites call a valid credential; a member given as ... is left out."""
    document = {
        "@context": [CREDENTIALS_V2, EXAMPLES_V2],
        "id": "urn:uuid:86294362-4254-4f36-854f-3952fe42555d",
        "type": ["VerifiableCredential"],
        "issuer": issuer_id,
        "credentialSubject": {"id": "did:key:z6MkhTNL7i2etLerDK8Acz5t528giE5KA4p75T6ka1E1D74r"},
    } | members
    return {name: value for name, value in document.items() if value is not ...}


async def issue(client: httpx2.AsyncClient, document: Any, path: str = "eddsa-rdfc-2022") -> httpx2.Response:
    return await client.post(f"/{path}/credentials/issue", json={"credential": document, "options": {}})


async def issued(client: httpx2.AsyncClient, path: str = "eddsa-rdfc-2022", **members: Any) -> dict[str, Any]:
    suite = path if path in SUITES else "eddsa-rdfc-2022"
    answer = await issue(client, credential(await issuer(client, suite), **members), path)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()["verifiableCredential"]
    return document


async def verify(client: httpx2.AsyncClient, document: Any, **options: Any) -> int:
    body = {"verifiableCredential": document, "options": options}
    return (await client.post("/credentials/verify", json=body)).status_code


@pytest.mark.parametrize("cryptosuite", SUITES)
async def test_every_cryptosuite_issues_and_verifies_with_one_proof_as_an_object(
    cryptosuite: str, client: httpx2.AsyncClient
) -> None:
    document = await issued(client, cryptosuite)
    assert document["proof"]["cryptosuite"] == cryptosuite
    assert document["proof"]["proofPurpose"] == "assertionMethod"
    assert await verify(client, document) == 200
    assert await verify(client, document, checks=["proof"]) == 200
    assert await verify(client, document | {"name": "altered"}) == 400


async def test_a_credential_of_version_1_gets_the_context_of_its_proof(client: httpx2.AsyncClient) -> None:
    document = await issued(client, **{"@context": [CREDENTIALS_V1], "issuanceDate": "2026-01-01T00:00:00Z"})
    assert document["@context"] == [CREDENTIALS_V1, DATA_INTEGRITY_V2]
    assert await verify(client, document) == 200


REFUSED: dict[str, dict[str, Any]] = {
    "no context": {"@context": ...},
    "context as text": {"@context": CREDENTIALS_V2},
    "contexts in another order": {"@context": [EXAMPLES_V2, CREDENTIALS_V2]},
    "an unknown context": {"@context": [CREDENTIALS_V2, "https://unknown.example/context"]},
    "a context that is a number": {"@context": [CREDENTIALS_V2, 1]},
    "an id that is null": {"id": None},
    "several ids": {"id": ["urn:uuid:1", "urn:uuid:2"]},
    "an id that is no URL": {"id": "not-a-url"},
    "no type": {"type": ...},
    "an unmapped type": {"@context": [CREDENTIALS_V2], "type": ["VerifiableCredential", "Unmapped"]},
    "an undefined term": {"@context": [CREDENTIALS_V2], "statusEntry": "x"},
    "an issuer that is null": {"issuer": None},
    "an issuer that is no URL": {"issuer": "not-a-url"},
    "an issuer without an id": {"issuer": {"name": "x"}},
    "no subject": {"credentialSubject": ...},
    "an empty subject": {"credentialSubject": {}},
    "no subjects": {"credentialSubject": []},
    "an empty subject among others": {"credentialSubject": [{"id": "did:example:1"}, {}]},
    "a moment without a zone": {"validFrom": "2026-01-01T00:00:00"},
    "an end before its beginning": {
        "validFrom": "2026-01-02T00:00:00Z",
        "validUntil": "2026-01-01T00:00:00Z",
    },
    "a status without a type": {"credentialStatus": {"id": "https://x.example/1"}},
    "terms of use without a type": {"termsOfUse": {"id": "https://x.example/1"}},
    "evidence without a type": {"evidence": {"id": "https://x.example/1"}},
    "a refresh service without a type": {"refreshService": {"id": "https://x.example/1"}},
    "a schema without an id": {"credentialSchema": {"type": "JsonSchema"}},
    "a name with another key": {"name": LANGUAGE | {"url": "x"}},
    "a resource without a digest": {"relatedResource": {"id": CREDENTIALS_V2}},
    "a resource without an id": {"relatedResource": {"digestSRI": V2_DIGEST}},
    "a resource with a wrong digest": {
        "relatedResource": {"id": CREDENTIALS_V2, "digestSRI": "sha384-" + "A" * 64}
    },
    "a resource with a wrong multihash": {
        "relatedResource": {"id": CREDENTIALS_V2, "digestMultibase": "uEiBZlVzt"}
    },
}


@pytest.mark.parametrize("members", REFUSED.values(), ids=REFUSED.keys())
async def test_what_is_malformed_is_not_issued(members: dict[str, Any], client: httpx2.AsyncClient) -> None:
    answer = await issue(client, credential(await issuer(client), **members))
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


@pytest.mark.parametrize(
    "members",
    [
        {"validUntil": "2020-01-01T00:00:00Z"},
        {"validFrom": "2026-01-01T00:00:00.123+05:30"},
        {"credentialSubject": [{"id": "did:example:1"}, {"name": "x"}]},
        {"issuer": "https://vendor.example"},
        {"issuer": {"id": "did:key:z6MkhTNL7i2etLerDK8Acz5t528giE5KA4p75T6ka1E1D74r"}},
        {"name": [LANGUAGE, LANGUAGE | {"@language": "fr"}]},
        {"custom": "mapped by the examples"},
        {"relatedResource": {"id": CREDENTIALS_V2, "digestSRI": V2_DIGEST}},
        {
            "relatedResource": {
                "id": CREDENTIALS_V2,
                "digestMultibase": "uEiBZlVztZpfWHgPyslVv6-UwirFoQoRvW1htfx963sknNA",
            }
        },
    ],
)
async def test_what_is_well_formed_is_issued_whoever_it_names(
    members: dict[str, Any], client: httpx2.AsyncClient
) -> None:
    answer = await issue(client, credential(await issuer(client), **members))
    assert answer.status_code == 201, answer.text


async def test_no_way_to_sign_lets_an_undefined_word_through(client: httpx2.AsyncClient) -> None:
    undefined = {"@context": [CREDENTIALS_V2], "undefinedTerm": "x"}
    for path in (*SUITES, "vc+jwt", "status"):
        answer = await issue(client, credential(await issuer(client), **undefined), path)
        assert answer.status_code == 400, path


async def test_a_status_is_allocated_set_and_cleared(client: httpx2.AsyncClient) -> None:
    document = await issued(client, "status", id="urn:uuid:0e0a8d2e-5a55-4f0e-9f5c-1d2f3a4b5c6d")
    entries = document["credentialStatus"]
    assert [entry["statusPurpose"] for entry in entries] == ["revocation", "suspension"]
    listed = await client.get(entries[1]["statusListCredential"])
    assert "json" in listed.headers["content-type"]
    assert isinstance(listed.json()["issuer"], str)
    assert len(decode(listed.json()["credentialSubject"]["encodedList"])) >= 131_072
    assert await verify(client, listed.json()) == 200
    for value, status in ((True, 400), (False, 200)):
        body = {"credentialId": document["id"], "credentialStatus": entries[1], "status": value}
        assert (await client.post("/credentials/status", json=body)).status_code == 200
        assert await verify(client, document) == status
    unknown = {"credentialId": "urn:uuid:9", "credentialStatus": entries[0], "status": True}
    assert (await client.post("/credentials/status", json=unknown)).status_code == 404


async def test_what_was_refused_has_no_place_in_a_status_list(client: httpx2.AsyncClient) -> None:
    refused = credential(await issuer(client), **{"@context": [CREDENTIALS_V2], "statusEntry": {}})
    assert (await issue(client, refused, "status")).status_code == 400


async def test_an_enveloped_credential_is_issued_and_verified(client: httpx2.AsyncClient) -> None:
    document = await issued(client, "vc+jwt")
    assert document["type"] == "EnvelopedVerifiableCredential"
    assert await verify(client, document) == 200
    assert await verify(client, document | {"id": document["id"][:-4] + "AAAA"}) == 400


async def test_presentations_are_held_to_domain_and_challenge(client: httpx2.AsyncClient) -> None:
    plain = await issued(client, **{"@context": [CREDENTIALS_V2]})
    options = {"domain": "github.com/w3c/vc-data-model-2.0-test-suite", "challenge": "n-1"}
    presented = HOLDER.present(plain, await issued(client, "vc+jwt"), **options)
    altered = copy.deepcopy(presented)
    altered["verifiableCredential"][0]["name"] = "altered"
    for document, asked, status in (
        (presented, options, 200),
        (presented, options | {"challenge": "n-2"}, 400),
        (presented, options | {"domain": "other.example"}, 400),
        (altered, options, 400),
    ):
        body = {"verifiablePresentation": document, "options": asked}
        assert (await client.post("/presentations/verify", json=body)).status_code == status


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"credential": 1}', b'{"credential": {}, "credential": {}}']
)
async def test_what_is_no_request_is_400(body: bytes, client: httpx2.AsyncClient) -> None:
    for path in ("eddsa-rdfc-2022/credentials/issue", "status/credentials/issue", "credentials/verify"):
        assert (await client.post(f"/{path}", content=body)).status_code == 400


@pytest.mark.parametrize(
    ("did", "status", "error"),
    [
        (HOLDER.did, 200, None),
        (HOLDER.method, 200, None),
        (SHORT, 400, "invalidPublicKeyLength"),
        ("did:key:!", 400, "invalidDid"),
        ("key:z6Mk", 400, "invalidDid"),
        ("did:example:1", 400, "invalidDid"),
        (HOLDER.did.replace("key", "experimental"), 400, "invalidDid"),
        (HOLDER.did.replace("did:", "notDid:"), 400, "invalidDid"),
        (HOLDER.did.replace("key:", "key:-4:"), 400, "invalidDid"),
        ("did:key:@", 400, "invalidDid"),
        (f"{HOLDER.did}/^bar^/?query=`#{HOLDER.multikey}", 400, "invalidDidUrl"),
        (f"{HOLDER.did}#other", 400, "invalidDidUrl"),
    ],
)
async def test_did_key_is_resolved(
    did: str, status: int, error: str | None, client: httpx2.AsyncClient
) -> None:
    answer = await client.get("/did/" + quote(did, safe=""))
    told = answer.json()
    metadata = told.get("didResolutionMetadata") or told["didDereferencingMetadata"]
    assert (answer.status_code, metadata.get("error")) == (status, error)
    assert ("didDereferencingMetadata" in told) == (error == "invalidDidUrl" or did == HOLDER.method)
    assert isinstance(told["didDocument"], dict)


@pytest.mark.parametrize(
    ("did", "key_format", "metadata"),
    [
        (HOLDER.did, "Multikey", {"didResolutionMetadata": {"contentType": "application/did+json"}}),
        (HOLDER.did, "unknown", {"didResolutionMetadata": {"error": "unsupportedPublicKeyType"}}),
        (
            HOLDER.method,
            "Ed25519VerificationKey2018",
            {"didDereferencingMetadata": {"error": "invalidPublicKeyType"}},
        ),
        (
            f"{HOLDER.did}#z6LSfHfAMAopsuBxaBzvp51GXrPf38Az13j2fmwqadbwwrzJ",
            "Ed25519VerificationKey2018",
            {"didDereferencingMetadata": {"error": "invalidPublicKeyType"}},
        ),
    ],
)
async def test_keys_are_told_as_multikey_and_in_no_other_format(
    did: str, key_format: str, metadata: dict[str, Any], client: httpx2.AsyncClient
) -> None:
    options = {"publicKeyFormat": key_format, "enableExperimentalPublicKeyTypes": "false"}
    answer = await client.get("/did/" + quote(did, safe=""), params=options)
    told = answer.json()
    assert {name: told.get(name) for name in metadata} == metadata
    assert answer.status_code == (200 if key_format == "Multikey" else 400)
