"""Correlation, keys and rates, health, metrics and pages, over a real socket."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import httpx2
import pytest
from prometheus_client import REGISTRY

from shared import clock
from shared.access import REFUSALS_BURST_MAX, NewKey, Scope, keep_api_keys, new_key
from shared.app import application, listening
from shared.contracts.issuers import ApiKeyCreated
from shared.database import Database
from shared.eventstore import Append, Meta
from shared.service import Running
from tests.integration.answers.answering import CANARY, problem_of


async def test_a_correlation_id_goes_through_and_one_is_made_where_none_or_a_bad_one_is_given(
    client: httpx2.AsyncClient,
) -> None:
    kept = await client.get("/issuer/correlation", headers={"X-Correlation-Id": "req-1.2:3_4"})
    assert kept.headers["x-correlation-id"] == kept.json()["correlation"] == "req-1.2:3_4"
    for bad in ("", "x" * 65, "two words", 'quote"'):
        made = await client.get("/issuer/correlation", headers={"X-Correlation-Id": bad})
        assert made.headers["x-correlation-id"] == made.json()["correlation"]
        assert uuid.UUID(made.json()["correlation"]).version == 7
    refused = await client.get("/issuer/raise/gone")
    assert uuid.UUID(refused.headers["x-correlation-id"])


async def a_key(issuer: Database) -> NewKey:
    """Make a key as the issuer's event makes it."""
    key, at = new_key(), clock.now()
    event = ApiKeyCreated(
        prefix=key.prefix,
        sha256=key.sha256,
        label="a test",
        scopes=(Scope.CREDENTIALS_READ,),
        created_at=at,
        expires_at=at + timedelta(hours=1),
    )
    async with issuer.session() as session:
        await keep_api_keys(
            await session.append([Append("acme", event.stream, 0, (event,), Meta("operator:cli", "c"))]),
            session,
            None,
        )
    return key


@pytest.mark.parametrize("path", ["/issuer/guarded", "/issuer/guarded-first"])
async def test_a_guarded_route_wants_a_key_and_spends_its_rate_once(
    client: httpx2.AsyncClient, issuer: Database, path: str
) -> None:
    assert problem_of(await client.get(path))["status"] == 401
    key, other = await a_key(issuer), await a_key(issuer)
    answers = [await client.get(path, headers={"Authorization": f"Bearer {key.token}"}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0].json() == {"tenant": "acme"}
    assert int(answers[3].headers["retry-after"]) in {1, 2}
    assert problem_of(answers[3])["code"] == "too-many-requests"
    others = await client.get(path, headers={"Authorization": f"Bearer {other.token}"})
    assert others.status_code == 200


async def test_the_rate_is_looked_at_before_the_body_and_a_bad_body_costs_as_much_as_a_good_one(
    client: httpx2.AsyncClient, issuer: Database
) -> None:
    headers = {"Authorization": f"Bearer {(await a_key(issuer)).token}", "Content-Type": "application/json"}
    answers = [await client.post("/issuer/guarded-body", content=b"{", headers=headers) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [422, 422, 422, 429]


async def test_one_who_tries_keys_is_told_to_wait_while_a_known_key_of_the_same_address_is_served(
    client: httpx2.AsyncClient, issuer: Database
) -> None:
    known = {"Authorization": f"Bearer {(await a_key(issuer)).token}"}
    assert (await client.get("/issuer/guarded", headers=known)).status_code == 200
    answers = [
        await client.get("/issuer/guarded", headers={"Authorization": f"Bearer {new_key().token}"})
        for _ in range(3 * REFUSALS_BURST_MAX)
    ]
    statuses = [answer.status_code for answer in answers]
    assert statuses[:REFUSALS_BURST_MAX] == [401] * REFUSALS_BURST_MAX
    waiting = next(answer for answer in answers if answer.status_code == 429)
    assert problem_of(waiting)["code"] == "too-many-requests"
    assert waiting.headers["retry-after"]
    assert (await client.get("/issuer/guarded", headers=known)).status_code == 200
    assert (await client.get("/issuer/guarded")).status_code == 401


async def test_live_and_ready_say_what_they_know(client: httpx2.AsyncClient, house: Running) -> None:
    assert (await client.get("/health/live")).json() == {"status": "live"}
    assert (await client.get("/health/ready")).json() == {"status": "ready", "problems": {}}
    house.start()
    await house.stop()
    unready = await client.get("/health/ready")
    assert unready.status_code == 503
    assert unready.json() == {"status": "not ready", "problems": {"process": "stopping"}}
    assert (await client.get("/health/live")).status_code == 200


def requests_counted(route: str, method: str = "GET", status: str = "200", service: str = "issuer") -> float:
    labels = {"service": service, "method": method, "route": route, "status": status}
    return REGISTRY.get_sample_value("microcred_http_requests_total", labels) or 0.0


async def test_metrics_count_by_template_and_never_by_what_a_stranger_chose(
    client: httpx2.AsyncClient,
) -> None:
    template, nowhere = "/things/{thing_id}", "unmatched"
    before = requests_counted(template), requests_counted(nowhere, "other", "405")
    for number in range(3):
        await client.get(f"/issuer/things/{CANARY}-{number}")
    await client.request("BREW", f"/issuer/things/{CANARY}")
    shown = await client.get("/metrics")
    assert shown.status_code == 200
    assert requests_counted(template) == before[0] + 3
    assert CANARY not in shown.text
    assert "BREW" not in shown.text
    assert re.search(r'route="/things/\{thing_id\}"', shown.text)


async def test_signed_addresses_stand_at_the_root_and_pages_need_no_other_host(
    client: httpx2.AsyncClient,
) -> None:
    assert (await client.get("/signed/x")).json() == {"signed": "x"}
    page = await client.get("/issuer/docs")
    assert page.status_code == 200
    assert not re.search(r'(?:src|href)="https?://', page.text)
    for link in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert (await client.get(link)).status_code == 200


async def test_the_root_leads_to_every_page_whether_a_program_or_a_browser_asks(
    client: httpx2.AsyncClient,
) -> None:
    listed = (await client.get("/")).json()["documentation"]
    assert [each["name"] for each in listed] == ["issuer", "public addresses"]
    page = await client.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["vary"] == "Accept"
    links = re.findall(r'href="([^"]+)"', page.text)
    assert links == [each[kind] for each in listed for kind in ("docs", "openapi")]
    for link in links:
        assert (await client.get(f"/{link}")).status_code == 200


async def test_the_name_of_a_service_leads_to_its_page_wherever_the_process_stands(
    client: httpx2.AsyncClient,
) -> None:
    for path in ("/issuer", "/issuer/"):
        led = await client.get(path)
        assert led.status_code == 307
        assert not re.match("/|https?:", led.headers["location"]), "whatever stands in front may add a path"
        assert led.next_request is not None
        assert led.next_request.url.path == "/issuer/docs"
    assert "/" not in (await client.get("/issuer/openapi.json")).json()["paths"]
    assert "/issuer" not in (await client.get("/openapi.json")).json()["paths"]


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing(
    client: httpx2.AsyncClient, house: Running
) -> None:
    port = client.base_url.port
    assert port is not None

    async def listen_again() -> None:
        async with listening(application(house), "127.0.0.1", port):
            raise AssertionError("the port was taken twice")

    with pytest.raises(OSError, match="in use"):
        await listen_again()
