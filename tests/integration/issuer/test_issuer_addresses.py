"""The public addresses as any reader meets them: HEAD, other methods, and scripts of other sites."""

from __future__ import annotations

import httpx2
import pytest

from shared.app import application, listening
from shared.contracts.credentials import CredentialIssued
from tests.integration.issuer.conftest import SETTLE_WAIT_S, Desk, client

UNKNOWN = "01890000-0000-7000-8000-00000000dead"


@pytest.fixture
async def addresses(desk: Desk) -> list[str]:
    """One public address of each kind, with a document at it."""
    await desk.tenant()
    achievement_id = await desk.achievement()
    await desk.passes(await desk.learner(), achievement_id, "a-1")
    async with desk.house() as house:
        await house.settled(SETTLE_WAIT_S)
    (issued,) = await desk.log(CredentialIssued)
    return [
        "/issuers/oslo",
        "/issuers/oslo/did.json",
        f"/achievements/{achievement_id}/1",
        f"/credentials/{issued.event.aggregate_id}",
    ]


async def test_head_answers_what_get_answers_without_the_body(desk: Desk, addresses: list[str]) -> None:
    """Over a real connection: whoever sent a body after all would spoil the next answer on it."""
    async with (
        desk.house() as house,
        listening(application(house), "127.0.0.1", 0) as address,
        httpx2.AsyncClient(base_url=address) as http,
    ):
        for path in (*addresses, f"/credentials/{UNKNOWN}", f"/achievements/{UNKNOWN}/1", "/issuers/nobody"):
            asked, told = await http.get(path), await http.head(path)
            assert (told.status_code, told.content) == (asked.status_code, b""), path
            for name in ("content-type", "content-length", "cache-control", "vary"):
                assert told.headers.get(name) == asked.headers.get(name), (path, name)


async def test_other_methods_are_refused_with_the_two_there_are(desk: Desk, addresses: list[str]) -> None:
    async with desk.house() as house, client(house) as http:
        for path in addresses:
            refused = await http.post(path)
            assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


async def test_scripts_of_any_site_may_read_documents_and_refusals_alike(
    desk: Desk, addresses: list[str]
) -> None:
    async with desk.house() as house, client(house) as http:
        for path in (*addresses, f"/credentials/{UNKNOWN}", "/credentials/nonsense", "/issuers/nobody"):
            for method in ("GET", "HEAD"):
                answer = await http.request(method, path, headers={"Origin": "https://verifier.example"})
                assert answer.headers.get_list("access-control-allow-origin") == ["*"], (method, path)


@pytest.mark.parametrize(
    "path",
    ["/credentials/nix", "/achievements/nix/1", f"/achievements/{UNKNOWN}/0", "/issuers/N!x/did.json"],
)
async def test_an_address_that_cannot_be_one_is_unknown_and_not_wrong(desk: Desk, path: str) -> None:
    async with desk.house() as house, client(house) as http:
        answer = await http.get(path)
    assert (answer.status_code, answer.json()["title"]) == (404, "There is nothing at this address.")
    assert "reasons" not in answer.json()


async def test_what_needs_a_key_is_open_to_no_other_site(desk: Desk) -> None:
    await desk.tenant()
    async with desk.house() as house, client(house, await desk.api_key("oslo")) as http:
        answer = await http.get(
            "/issuer/credentials?assessment_id=none", headers={"Origin": "https://a.test"}
        )
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers
