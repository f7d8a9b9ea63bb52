"""The outbound client against real servers on loopback that lie, stall, redirect, unfold and hang up."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import ssl
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared.errors import Invalid, Oversized
from shared.outbound import OutboundClient, OutboundFailure, OutboundLimits

MIB = 1_048_576
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Server:
    """A TCP server that answers each request with whatever bytes `answer` writes."""

    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)


Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def saying(response: bytes) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(response)
        await writer.drain()

    return answer


@contextlib.asynccontextmanager
async def serving(
    answer: Answer, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    """Serve on loopback until the block ends; connections still open then are cut."""
    facts = Server()
    open_writers: set[asyncio.StreamWriter] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        facts.connections += 1
        open_writers.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                _, _, length = head.lower().partition(b"content-length: ")
                body = await reader.readexactly(int(length.split(b"\r\n")[0] or b"0"))
                facts.requests.append(head + body)
                await answer(writer)
        writer.close()

    server = await asyncio.start_server(converse, host, port, ssl=tls)
    facts.port = server.sockets[0].getsockname()[1]
    try:
        yield facts
    finally:
        server.close()
        for writer in open_writers:
            writer.transport.abort()


class Names:
    """A resolver with an answer for each time it is asked; the last answer stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


@contextlib.asynccontextmanager
async def calling(
    limits: OutboundLimits | None = None,
    names: Names | None = None,
    allow_loopback: bool = True,
    ssl_context: ssl.SSLContext | None = None,
) -> AsyncIterator[OutboundClient]:
    names = names or Names(["127.0.0.1"])
    made = OutboundClient(limits or OutboundLimits(), allow_loopback, resolver=names, ssl_context=ssl_context)
    try:
        yield made
    finally:
        await made.close()


def length_of(body: bytes, *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


# --- where the connection goes ------------------------------------------------------------------------


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


@dataclass
class Authority:
    """A certificate authority of the test's own, and the contexts made from it."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(
            cadata=self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        )

    def server(self, name: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        issued = signed(name, key.public_key(), "Test authority", self.key)
        path = self.folder / f"{name}.pem"
        pem = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
        path.write_bytes(
            key.private_bytes(*pem, serialization.NoEncryption())
            + issued.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


def signed(
    name: str, public_key: ec.EllipticCurvePublicKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    start = datetime.now(UTC) - timedelta(minutes=1)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder(
            issuer_name=x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]),
            subject_name=subject,
            public_key=public_key,
            serial_number=x509.random_serial_number(),
            not_valid_before=start,
            not_valid_after=start + timedelta(hours=1),
        )
        .add_extension(x509.BasicConstraints(ca=name == issuer, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name.replace(" ", "-"))]), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    return Authority(tmp_path, key, signed("Test authority", key.public_key(), "Test authority", key))


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
            assert failed.value.code == "unreachable"
    assert server.requests == []


# --- what comes back ----------------------------------------------------------------------------------


async def ask(
    answer: Answer, limits: OutboundLimits | None = None, keep_body: bool = True
) -> tuple[int, bytes]:
    async with serving(answer) as server, calling(limits) as client:
        url = f"http://127.0.0.1:{server.port}/"
        response = await client.request("GET", url, {}, b"", keep_body=keep_body)
        return response.status, response.body


async def test_a_body_of_exactly_the_limit_is_read_and_one_byte_more_is_not() -> None:
    zipped = b"Content-Encoding: gzip"
    assert await ask(saying(length_of(bytes(MIB)))) == (200, bytes(MIB))
    assert await ask(saying(length_of(gzip.compress(bytes(MIB)), zipped))) == (200, bytes(MIB))
    for response in (length_of(bytes(MIB + 1)), length_of(gzip.compress(bytes(MIB + 1)), zipped)):
        with pytest.raises(Oversized) as refused:
            await ask(saying(response))
        assert refused.value.code == "response-too-large"


async def test_a_compression_bomb_is_stopped_before_it_unfolds() -> None:
    bomb = length_of(gzip.compress(bytes(128 * MIB)), b"Content-Encoding: gzip")
    tracemalloc.start()
    try:
        with pytest.raises(Oversized):
            await ask(saying(bomb))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 8 * MIB


async def test_an_endless_body_is_cut_off_plain_or_unfolding_to_nothing() -> None:
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    opening = packer.compress(b"x") + packer.flush(zlib.Z_FULL_FLUSH)
    empty_block = packer.flush(zlib.Z_FULL_FLUSH) or b"\x00\x00\x00\xff\xff"

    def endless(opening: bytes, piece: bytes, header: bytes) -> Answer:
        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\n" + header + b"\r\n" + opening)
            while True:
                writer.write(piece * 4096)
                await writer.drain()

        return answer

    for answer in (endless(b"", b"a", b""), endless(opening, empty_block, b"Content-Encoding: gzip\r\n")):
        with pytest.raises(Oversized):
            await ask(answer)
        assert await ask(answer, keep_body=False) == (200, b"")


@pytest.mark.parametrize(
    "response",
    [
        length_of(gzip.compress(b"hello")[:-4], b"Content-Encoding: gzip"),
        length_of(gzip.compress(b"hello") + gzip.compress(b"again"), b"Content-Encoding: gzip"),
        length_of(b"not gzip at all", b"Content-Encoding: gzip"),
        length_of(b"hello", b"Content-Encoding: br"),
        length_of(gzip.compress(gzip.compress(b"hello")), b"Content-Encoding: gzip, gzip"),
        b"I am no HTTP server\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
    ],
)
async def test_an_answer_that_is_not_what_it_says_is_a_failure(response: bytes) -> None:
    with pytest.raises(OutboundFailure) as failed:
        await ask(saying(response))
    assert failed.value.code == "response-malformed"


async def test_a_body_cut_short_fails_its_reader_but_not_the_caller_who_wants_the_status() -> None:
    async def hang_up(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    with pytest.raises(OutboundFailure) as failed:
        await ask(hang_up)
    assert failed.value.code == "response-malformed"
    assert await ask(hang_up, keep_body=False) == (200, b"")


async def test_nobody_listening_and_a_name_without_address_are_unreachable() -> None:
    async with serving(saying(OK)) as server:
        pass
    for names in (Names(["127.0.0.1"]), Names([])):
        async with calling(names=names) as client:
            with pytest.raises(OutboundFailure) as failed:
                await client.request("GET", f"http://partner.example:{server.port}/", {}, b"")
        assert failed.value.code == "unreachable"


async def test_a_resolver_that_fails_is_an_unreachable_host() -> None:
    async def failing(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    client = OutboundClient(OutboundLimits(), False, resolver=failing)
    with pytest.raises(OutboundFailure) as failed:
        await client.request("GET", "https://partner.example/", {}, b"")
    assert failed.value.code == "unreachable"


async def test_a_host_that_accepts_and_says_nothing_or_trickles_is_timed_out() -> None:
    async def silent(writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def trickling(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.01)

    for answer in (silent, trickling):
        with pytest.raises(OutboundFailure) as failed:
            await ask(answer, OutboundLimits(total_wait_s=0.2))
        assert failed.value.code == "timed-out"


async def test_a_resolver_that_hangs_is_cut_off_by_the_connect_limit() -> None:
    async def hanging(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    limits = OutboundLimits(connect_wait_s=0.05, total_wait_s=60)
    client = OutboundClient(limits, False, resolver=hanging)
    with pytest.raises(OutboundFailure) as failed:
        await client.request("GET", "https://partner.example/", {}, b"")
    assert failed.value.code == "timed-out"


# --- how many at once ---------------------------------------------------------------------------------


async def test_one_host_never_gets_more_requests_at_once_than_the_limit() -> None:
    pair, inside, most = asyncio.Barrier(2), 0, 0

    async def counted(writer: asyncio.StreamWriter) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await pair.wait()
        inside -= 1
        writer.write(OK)

    async with serving(counted) as server, calling(OutboundLimits(host_requests_max=2)) as client:
        url = f"http://partner.example:{server.port}/"
        await asyncio.gather(*(client.request("GET", url, {}, b"") for _ in range(8)))
    assert most == 2
    assert len(server.requests) == 8


async def test_a_busy_host_says_so_and_does_not_hold_up_another() -> None:
    arrived, release = asyncio.Event(), asyncio.Event()

    async def held(writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await release.wait()
        writer.write(OK)

    limits = OutboundLimits(host_requests_max=1, host_wait_s=0.05)
    async with serving(held) as slow, serving(saying(OK)) as quick, calling(limits) as client:
        first = asyncio.create_task(client.request("GET", f"http://slow.example:{slow.port}/", {}, b""))
        await arrived.wait()
        with pytest.raises(OutboundFailure) as failed:
            await client.request("GET", f"http://slow.example:{slow.port}/", {}, b"")
        assert failed.value.code == "host-busy"
        response = await client.request("GET", f"http://quick.example:{quick.port}/", {}, b"")
        assert response.status == 200
        release.set()
        assert (await first).status == 200
        again = await client.request("GET", f"http://slow.example:{slow.port}/", {}, b"")
        assert again.status == 200


async def test_a_request_given_up_by_its_caller_frees_its_place() -> None:
    arrived = asyncio.Event()

    async def held(writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await asyncio.Event().wait()

    limits = OutboundLimits(host_requests_max=1, connections_max=1, host_wait_s=5)
    async with serving(held) as slow, serving(saying(OK)) as quick, calling(limits) as client:
        given_up = asyncio.create_task(client.request("GET", f"http://one.example:{slow.port}/", {}, b""))
        await arrived.wait()
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        response = await client.request("GET", f"http://one.example:{quick.port}/", {}, b"")
    assert response.status == 200
