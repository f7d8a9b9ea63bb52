"""The webhook channel against a real web server on loopback: what arrives, and what each answer means."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
import uvicorn
from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.notifier.channels import RETRY_AFTER_S_MAX, WebhookChannel, new_webhook_secret
from services.notifier.outcomes import ENDPOINT_GONE, Delivered, GiveUp, Outcome, TryLater
from shared.outbound import OutboundClient, OutboundLimits

NOW_S = 1_794_000_000
BODY = b'{"type":"credential.signed","data":{"credential":"https://credentials.example/credentials/1"}}'


@dataclass
class Endpoint:
    """A subscriber's web server that answers what the test tells it to."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    async def take(self, request: Request) -> Response:
        self.received.append((dict(request.headers), await request.body()))
        return Response(b"thanks", status_code=self.status, headers=self.headers)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    made = Endpoint()
    app = Starlette(routes=[Route("/hook", made.take, methods=["GET", "POST"])])
    listening = socket.create_server(("127.0.0.1", 0))
    made.url = f"http://127.0.0.1:{listening.getsockname()[1]}/hook"
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    yield made
    server.should_exit = True
    await serving


@pytest.fixture
async def webhooks() -> AsyncIterator[WebhookChannel]:
    outbound = OutboundClient(OutboundLimits(), allow_loopback=True)
    yield WebhookChannel(outbound)
    await outbound.close()


async def post(channel: WebhookChannel, url: str, now_s: int = NOW_S) -> Outcome:
    return await channel.deliver(url, [new_webhook_secret()], "msg_1", BODY, now_s)


async def test_a_subscriber_receives_a_delivery_that_it_can_verify(
    endpoint: Endpoint, webhooks: WebhookChannel
) -> None:
    now_s, old, new = int(datetime.now(UTC).timestamp()), new_webhook_secret(), new_webhook_secret()
    assert await webhooks.deliver(endpoint.url, [new, old], "msg_1", BODY, now_s) == Delivered()
    [(headers, body)] = endpoint.received
    assert body == BODY
    assert headers["content-type"] == "application/json"
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("msg_1", str(now_s))
    for secret in (old, new):
        assert Webhook(secret).verify(body, headers)["type"] == "credential.signed"


async def test_two_attempts_have_one_id_and_one_body_and_each_its_own_time(
    endpoint: Endpoint, webhooks: WebhookChannel
) -> None:
    endpoint.status = 500
    for attempt in range(2):
        assert await post(webhooks, endpoint.url, NOW_S + attempt) == TryLater("http-500")
    (first, first_body), (second, second_body) = endpoint.received
    assert first["webhook-id"] == second["webhook-id"]
    assert first_body == second_body
    assert (first["webhook-timestamp"], second["webhook-timestamp"]) == (str(NOW_S), str(NOW_S + 1))


def http_date(offset_s: int) -> str:
    return format_datetime(datetime.fromtimestamp(NOW_S + offset_s, UTC), usegmt=True)


@pytest.mark.parametrize(
    ("status", "headers", "outcome"),
    [
        (200, {}, Delivered()),
        (201, {}, Delivered()),
        (204, {}, Delivered()),
        (299, {}, Delivered()),
        (301, {"Location": "http://127.0.0.1:1/"}, TryLater("http-301")),
        (302, {"Location": "/hook"}, TryLater("http-302")),
        (304, {}, TryLater("http-304")),
        (308, {"Location": "/hook"}, TryLater("http-308")),
        (400, {}, TryLater("http-400")),
        (401, {}, TryLater("http-401")),
        (404, {}, TryLater("http-404")),
        (410, {}, ENDPOINT_GONE),
        (410, {"Retry-After": "5"}, GiveUp("endpoint-gone")),
        (429, {}, TryLater("http-429")),
        (429, {"Retry-After": "120"}, TryLater("http-429", 120)),
        (502, {"Retry-After": "7"}, TryLater("http-502", 7)),
        (503, {"Retry-After": http_date(90)}, TryLater("http-503", 90)),
        (504, {"Retry-After": http_date(-90)}, TryLater("http-504", 0)),
        (504, {"Retry-After": "999999999"}, TryLater("http-504", RETRY_AFTER_S_MAX)),
        (429, {"Retry-After": http_date(10 * RETRY_AFTER_S_MAX)}, TryLater("http-429", RETRY_AFTER_S_MAX)),
        (429, {"Retry-After": "soon"}, TryLater("http-429")),
        (429, {"Retry-After": "-5"}, TryLater("http-429")),
        (429, {"Retry-After": "9" * 5000}, TryLater("http-429")),
        (429, {"Retry-After": "Tue, 99 Foo 2026 00:00:00 GMT"}, TryLater("http-429")),
        (500, {"Retry-After": "120"}, TryLater("http-500")),
        (599, {}, TryLater("http-599")),
    ],
)
async def test_what_each_answer_means(
    endpoint: Endpoint, webhooks: WebhookChannel, status: int, headers: dict[str, str], outcome: Outcome
) -> None:
    endpoint.status, endpoint.headers = status, headers
    assert await post(webhooks, endpoint.url) == outcome
    assert len(endpoint.received) == 1


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/hook", "https://169.254.169.254/", "ftp://127.0.0.1/", "https://u:p@127.0.0.1/"]
)
async def test_a_refused_address_is_given_up(webhooks: WebhookChannel, url: str) -> None:
    assert await post(webhooks, url) == GiveUp("address-refused")


async def test_a_delivery_that_can_never_be_made_is_given_up(
    endpoint: Endpoint, webhooks: WebhookChannel
) -> None:
    secret = new_webhook_secret()
    big = bytes(OutboundLimits().request_bytes_max + 1)
    assert await webhooks.deliver(endpoint.url, ["x"], "m", BODY, 1) == GiveUp("webhook-secret-malformed")
    assert await webhooks.deliver(endpoint.url, [secret], "a.b", BODY, 1) == GiveUp("webhook-id-malformed")
    assert await webhooks.deliver(endpoint.url, [secret], "m", big, 1) == GiveUp("request-too-large")
    assert endpoint.received == []


async def test_an_endpoint_that_is_not_there_is_tried_later(webhooks: WebhookChannel) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert await post(webhooks, f"http://127.0.0.1:{port}/") == TryLater("unreachable")


async def test_an_endpoint_that_says_nothing_is_tried_later() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    outbound = OutboundClient(OutboundLimits(total_wait_s=0.1), allow_loopback=True)
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await post(WebhookChannel(outbound), f"http://127.0.0.1:{port}/") == TryLater("timed-out")
    await outbound.close()
    server.close()
