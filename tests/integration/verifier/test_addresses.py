"""What strangers see of the verifier over HTTP."""

from __future__ import annotations

import json

import pytest
from httpx2 import ASGITransport, AsyncClient

from services.verifier.api.texts import EXAMPLE
from services.verifier.examination.opening import INPUT_BYTES_MAX
from services.verifier.settings import VerifierSettings
from shared.app import application
from shared.service import Running
from tests.integration.verifier.conftest import SETTLE_WAIT_S, Log, check, published_list, verify
from tests.unit.verifier.credentials import INDEX, ISSUER, LIST_ID

PATH = f"/status/{LIST_ID}"


@pytest.fixture
async def listed(house: Running, log: Log) -> str:
    """The text of a list that is kept."""
    event = published_list(ISSUER)
    await log.append(event)
    await house.settled(SETTLE_WAIT_S)
    return event.credential


async def test_a_list_is_served_byte_for_byte_as_it_was_signed(client: AsyncClient, listed: str) -> None:
    answer = await client.get(PATH, headers={"Accept": "application/ld+json, application/json"})
    assert answer.content == listed.encode()
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.headers["vary"] == "Accept"
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_list_that_did_not_change_is_not_sent_again(
    house: Running, client: AsyncClient, log: Log, listed: str
) -> None:
    etag = (await client.get(PATH)).headers["etag"]
    assert not etag.startswith("W/")
    for told in (etag, f'"other", W/{etag}', "*"):
        again = await client.get(PATH, headers={"If-None-Match": told})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    await log.append(published_list(ISSUER, version=2, revoked=[INDEX]))
    await house.settled(SETTLE_WAIT_S)
    changed = await client.get(PATH, headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag


async def test_each_media_type_has_a_validator_of_its_own(client: AsyncClient, listed: str) -> None:
    answers = [
        await client.get(PATH, headers={"Accept": name}) for name in ("application/json", "application/vc")
    ]
    assert [answer.headers["content-type"] for answer in answers] == ["application/json", "application/vc"]
    assert answers[0].content == answers[1].content
    assert answers[0].headers["etag"] != answers[1].headers["etag"]


async def test_a_list_is_not_cached_beyond_its_end(house: Running, client: AsyncClient, log: Log) -> None:
    await log.append(published_list(ISSUER, ends_in_s=-60))
    await house.settled(SETTLE_WAIT_S)
    assert (await client.get(PATH)).headers["cache-control"] == "public, max-age=0"


async def test_a_list_without_ttl_has_the_default_age(house: Running, client: AsyncClient, log: Log) -> None:
    await log.append(published_list(ISSUER, subject={"ttl": "soon"}))
    await house.settled(SETTLE_WAIT_S)
    assert (await client.get(PATH)).headers["cache-control"] == "public, max-age=300"


async def test_a_list_is_asked_for_with_head_as_with_get(client: AsyncClient, listed: str) -> None:
    for path in (PATH, "/status/nothing"):
        asked, told = await client.get(path), await client.head(path)
        assert told.status_code == asked.status_code
        for name in ("etag", "content-type", "content-length", "cache-control"):
            assert told.headers.get(name) == asked.headers.get(name)
        assert told.headers.get_list("access-control-allow-origin") == ["*"]
    etag = (await client.head(PATH)).headers["etag"]
    assert (await client.head(PATH, headers={"If-None-Match": etag})).status_code == 304
    refused = await client.delete(PATH)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


async def test_a_list_that_is_not_there_is_404(client: AsyncClient) -> None:
    for list_id in (LIST_ID, "x", "%00", "%ff", "a" * 300):
        answer = await client.get(f"/status/{list_id}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


async def test_the_worked_examples_are_valid_when_pasted(client: AsyncClient) -> None:
    document = (await client.get("/verifier/openapi.json")).json()
    operation = document["paths"]["/verify"]["post"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"].values()
    verdicts = [await verify(client, example["value"]) for example in examples]
    assert [verdict["verdict"] for verdict in verdicts] == ["valid", "valid"]


async def test_any_bytes_get_a_verdict(client: AsyncClient) -> None:
    twice = json.dumps(EXAMPLE).replace('"type"', '"type": [], "type"', 1).encode()
    for body in (b"", b"\x00\xff", b"{", b"null", twice):
        assert (await verify(client, body))["verdict"] == "invalid"


async def test_the_body_is_read_whatever_it_calls_itself(client: AsyncClient) -> None:
    answer = await client.post(
        "/verifier/verify", content=json.dumps(EXAMPLE), headers={"Content-Type": "text/plain"}
    )
    assert answer.json()["verdict"] == "valid"


async def test_a_body_of_the_greatest_size_is_judged_and_a_larger_one_refused(client: AsyncClient) -> None:
    greatest = b'"' + b"a" * (INPUT_BYTES_MAX - 2) + b'"'
    assert check(await verify(client, greatest), "parsed")["code"] == "PARSING_ERROR"
    answer = await client.post("/verifier/verify", content=greatest + b" ")
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


async def test_one_address_may_not_ask_without_end(
    house: Running, client: AsyncClient, settings: VerifierSettings
) -> None:
    for _ in range(settings.verifications_burst_max):
        await verify(client, b"")
    refused = await client.post("/verifier/verify", content=b"")
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    other = ASGITransport(app=application(house), client=("192.0.2.8", 1))
    async with AsyncClient(transport=other, base_url="https://credentials.example") as neighbour:
        await verify(neighbour, b"")


async def test_addresses_of_one_ipv6_network_share_a_limit(
    house: Running, settings: VerifierSettings
) -> None:
    statuses = []
    for number in range(settings.verifications_burst_max + 1):
        transport = ASGITransport(app=application(house), client=(f"2001:db8::{number:x}", 1))
        async with AsyncClient(transport=transport, base_url="https://credentials.example") as opened:
            statuses.append((await opened.post("/verifier/verify", content=b"")).status_code)
    assert statuses == [200] * settings.verifications_burst_max + [429]


async def test_verdicts_are_counted(client: AsyncClient) -> None:
    await verify(client, b"")
    metrics = (await client.get("/metrics")).text
    assert 'microcred_verifications_total{verdict="invalid"}' in metrics
