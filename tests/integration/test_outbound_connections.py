"""Where the outbound client connects, against real servers on loopback and names that lie."""

from __future__ import annotations

import pytest

from shared.errors import Invalid
from shared.outbound import OutboundFailure
from tests.integration.authority import Authority
from tests.integration.loopback_server import OK, Names, calling, saying, serving


async def test_the_request_arrives_as_given_with_the_names_host_header() -> None:
    async with serving(saying(OK)) as server, calling() as client:
        url = f"http://partner.example:{server.port}/hook?x=1#fragment"
        response = await client.request("POST", url, {"X-One": "1"}, b'{"a":1}')
    assert (response.status, response.body) == (200, b"ok")
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /hook?x=1 HTTP/1.1"
    assert b"Host: partner.example:%d" % server.port in lines
    assert b"X-One: 1" in lines
    assert body == b'{"a":1}'


async def test_a_name_that_changes_its_answer_is_called_where_it_was_judged() -> None:
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    async with (
        serving(saying(OK)) as judged,
        serving(saying(OK), "127.0.0.2", judged.port) as other,
        calling(names=names) as client,
    ):
        await client.request("GET", f"http://partner.example:{judged.port}/", {}, b"")
    assert names.asked == ["partner.example"]
    assert (judged.connections, other.connections) == (1, 0)


async def test_a_name_whose_first_answer_is_inside_gets_no_second_chance() -> None:
    names = Names(["10.0.0.1"], ["127.0.0.1"])
    async with serving(saying(OK)) as server, calling(names=names) as client:
        with pytest.raises(Invalid) as refused:
            await client.request("GET", f"http://partner.example:{server.port}/", {}, b"")
    assert refused.value.code == "address-refused"
    assert (names.asked, server.connections) == (["partner.example"], 0)


@pytest.mark.parametrize(
    ("addresses", "allow_loopback"),
    [
        (["8.8.8.8", "10.0.0.1"], False),
        (["8.8.8.8", "127.0.0.1"], True),
        (["2606:4700::1111", "fd00::1"], False),
        (["127.0.0.1"], False),
        (["::ffff:127.0.0.1"], False),
        (["::1"], False),
    ],
)
async def test_one_bad_address_refuses_the_name(addresses: list[str], allow_loopback: bool) -> None:
    async with calling(names=Names(addresses), allow_loopback=allow_loopback) as client:
        with pytest.raises(Invalid) as refused:
            await client.request("GET", "https://partner.example/", {}, b"")
    assert refused.value.code == "address-refused"


async def test_a_real_loopback_server_is_out_of_reach_in_production() -> None:
    async with serving(saying(OK)) as server, calling(allow_loopback=False) as client:
        for url in (f"http://127.0.0.1:{server.port}/", f"https://localhost:{server.port}/"):
            with pytest.raises(Invalid):
                await client.request("GET", url, {}, b"")
    assert server.connections == 0


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    names = Names(["127.0.0.2", "127.0.0.1"])
    async with serving(saying(OK)) as server, calling(names=names) as client:
        response = await client.request("GET", f"http://partner.example:{server.port}/", {}, b"")
    assert response.status == 200


async def test_a_redirect_is_handed_back_and_not_followed() -> None:
    async with serving(saying(OK)) as inside:
        found = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n"
        async with serving(saying(found % inside.port)) as server, calling() as client:
            response = await client.request("POST", f"http://127.0.0.1:{server.port}/", {}, b"{}")
    assert response.status == 302
    assert response.headers["location"] == f"http://127.0.0.1:{inside.port}/"
    assert inside.connections == 0


async def test_a_proxy_in_the_environment_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(saying(OK)) as proxy, serving(saying(OK)) as server:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with calling() as client:
            await client.request("GET", f"http://127.0.0.1:{server.port}/", {}, b"")
    assert (proxy.connections, server.connections) == (0, 1)


async def test_a_second_request_uses_the_same_connection_and_asks_no_resolver() -> None:
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    async with serving(saying(OK)) as server, calling(names=names) as client:
        for keep_body in (True, False, True):
            url = f"http://partner.example:{server.port}/"
            await client.request("POST", url, {}, b"{}", keep_body=keep_body)
    assert (server.connections, len(server.requests), len(names.asked)) == (1, 3, 1)


# --- certificates -------------------------------------------------------------------------------------


async def test_tls_asks_for_the_name_and_checks_it_though_the_address_is_pinned(authority: Authority) -> None:
    asked: list[str | None] = []
    tls = authority.server("partner.example")
    tls.sni_callback = lambda _socket, name, _context: asked.append(name)
    async with serving(saying(OK), tls=tls) as server, calling(ssl_context=authority.trusted()) as client:
        response = await client.request("POST", f"https://partner.example:{server.port}/", {}, b"{}")
    assert response.status == 200
    assert asked == ["partner.example"]
    assert b"Host: partner.example:%d" % server.port in server.requests[0]


async def test_a_certificate_for_another_name_or_by_a_stranger_gets_no_request(authority: Authority) -> None:
    tls = authority.server("other.example")
    async with serving(saying(OK), tls=tls) as server:
        for context in (authority.trusted(), None):
            async with calling(ssl_context=context) as client:
                with pytest.raises(OutboundFailure) as failed:
                    await client.request("POST", f"https://partner.example:{server.port}/", {}, b"{}")
            assert failed.value.code == "insecure"
    assert server.requests == []
