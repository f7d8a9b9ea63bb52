"""The one HTTP client that speaks to strangers' servers: webhooks, and whatever else names its own address.

A subscriber chooses the address, so an unguarded client would be a hand inside the network (server-side
request forgery). This one resolves a name once, judges every address it got, and connects to exactly the
address it judged: a name that answers differently the second time (DNS rebinding) has nobody to lie to.
Host header, SNI and certificate check keep the name.

Refused: any scheme but https and any port but 443, any name of which one address is not globally routable
(private, link-local, metadata, shared, multicast; also inside v4-mapped and NAT64 forms, and all tunnels),
credentials in the address, proxies from the environment, redirects (a 3xx is handed back as it is), and
bodies over a limit, counted after decompression. `allow_loopback` opens http and free ports towards loopback
addresses alone; it is for development, and the settings refuse it in production.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Literal
from weakref import WeakValueDictionary

import httpcore2
import httpx2

from shared.errors import Invalid, Oversized, Unavailable

URL_CHARS_MAX: Final = 2048
DRAIN_BYTES_MAX: Final = 65_536
DRAIN_WAIT_S: Final = 1.0
HTTPS_PORT: Final = 443

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a host name, as text; raises OSError when it has none."""

Address = IPv4Address | IPv6Address

# Kept here rather than read from ipaddress.is_global alone, whose tables differ between Python versions.
# From IANA's special-purpose address registry, with multicast and one address that only a cloud reaches.
_REFUSED_V4: Final = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared behind a carrier's NAT
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a cloud provider's platform channel
        "169.254.0.0/16",  # link-local, metadata services
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays, withdrawn
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_GLOBAL_UNICAST_V6: Final = IPv6Network("2000::/3")
# Inside global unicast, and nobody's web server: protocol assignments (with Teredo), documentation, 6to4.
_REFUSED_V6: Final = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
_NAT64: Final = IPv6Network("64:ff9b::/96")

_HOST_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,252}[a-z0-9_])?")
_RESERVED_HEADERS: Final = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "te", "upgrade"}
)


@dataclass(frozen=True)
class OutboundLimits:
    """How long, how much and how many: each in the unit of its name."""

    connect_wait_s: float = 5.0
    total_wait_s: float = 15.0
    host_wait_s: float = 15.0
    idle_wait_s: float = 30.0
    request_bytes_max: int = 262_144
    response_bytes_max: int = 1_048_576
    host_requests_max: int = 4
    connections_max: int = 64


@dataclass(frozen=True)
class OutboundResponse:
    """A response as it came: `headers` by lower-case name, `body` decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class OutboundFailure(Unavailable):
    """No usable answer came; the same request may work later. `code` is fit for a metric's label."""

    def __init__(
        self,
        code: Literal["unreachable", "insecure", "timed-out", "host-busy", "response-malformed"],
        message: str,
    ) -> None:
        super().__init__(message)
        self.code = code


async def resolve_by_system(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver for the stream addresses of `host`, in the system's order of preference."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for _, _, _, _, sockaddr in found))


def is_globally_routable(address: Address) -> bool:
    """Whether a packet to `address` can only reach the public internet, as far as the address tells."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_globally_routable(address.ipv4_mapped)
        if address in _NAT64:
            return is_globally_routable(IPv4Address(address.packed[12:]))
        return address in _GLOBAL_UNICAST_V6 and not any(address in block for block in _REFUSED_V6)
    return address.is_global and not any(address in block for block in _REFUSED_V4)


def _is_loopback(address: Address) -> bool:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _refused(why: str) -> Invalid:
    return Invalid("address-refused", "this address is not one that may be called", (why,))


class _GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Opens connections for the pool: the only place where a name becomes an address.

    `plain` is the pool for http, which leads to loopback or nowhere.
    """

    def __init__(self, limits: OutboundLimits, resolver: Resolver, allow_loopback: bool, plain: bool) -> None:
        self._limits = limits
        self._resolver = resolver
        self._allow_loopback = allow_loopback
        self._plain = plain
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the pool's interface; the limits decide here
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve once, judge every address, connect to the first judged one that answers."""
        try:
            async with asyncio.timeout(self._limits.connect_wait_s):
                failure: Exception = httpcore2.ConnectError("the name has no address")
                for address in await self._judged(host, port):
                    try:
                        return await self._network.connect_tcp(
                            str(address), port, socket_options=socket_options
                        )
                    except httpcore2.ConnectError as unreachable:
                        failure = unreachable
                raise failure
        except TimeoutError as cause:
            raise httpcore2.ConnectTimeout("no connection in time") from cause

    async def _resolve(self, host: str, port: int) -> Sequence[str]:
        try:
            return [str(ip_address(host))]
        except ValueError:
            pass
        try:
            return await self._resolver(host, port)
        except (OSError, UnicodeError) as cause:
            raise httpcore2.ConnectError("the name does not resolve") from cause

    async def _judged(self, host: str, port: int) -> Sequence[Address]:
        """The addresses of `host`, all of them good; one bad address among good ones refuses the name."""
        if not self._allow_loopback:
            self._demand_https(port)  # before the name is asked for: a refusal needs no resolver
        addresses = [ip_address(text) for text in await self._resolve(host, port)]
        if self._allow_loopback and all(_is_loopback(address) for address in addresses):
            return addresses
        self._demand_https(port)
        if not all(is_globally_routable(address) for address in addresses):
            raise _refused("the host has an address that is not globally routable")
        return addresses

    def _demand_https(self, port: int) -> None:
        if self._plain:
            raise _refused("http is not encrypted: only https is called")
        if port != HTTPS_PORT:
            raise _refused("only port 443 is called")


@cache
def _usual_authorities() -> ssl.SSLContext:
    """Read once in a process: they are many."""
    return httpx2.create_ssl_context()


class OutboundClient:
    """Sends requests to addresses that others chose. Made once per process; `close()` ends it."""

    def __init__(
        self,
        limits: OutboundLimits,
        allow_loopback: bool,
        *,
        resolver: Resolver = resolve_by_system,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """`ssl_context` may name other authorities (a private root), but never less verification."""
        context = ssl_context or _usual_authorities()
        if context.verify_mode != ssl.CERT_REQUIRED or not context.check_hostname:
            raise ValueError("an outbound client verifies certificates and host names")
        self._limits = limits
        self._pools = {
            scheme: httpcore2.AsyncConnectionPool(
                ssl_context=context,
                max_connections=limits.connections_max,
                keepalive_expiry=limits.idle_wait_s,
                network_backend=_GuardedBackend(limits, resolver, allow_loopback, plain=scheme == "http"),
            )
            for scheme in ("http", "https")
        }
        self._lanes: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def close(self) -> None:
        """Close every idle connection. Call it when no request is under way any more."""
        for pool in self._pools.values():
            await pool.aclose()

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, keep_body: bool = True
    ) -> OutboundResponse:
        """Send one request and give its response back, whatever its status; redirects are not followed.

        `keep_body=False` is for callers whom only the status concerns: the response's body is then empty, and
        nothing that the other side sends after its headers can turn the answer into a failure.
        Raises Invalid("address-refused") for a target that may not be called, Invalid("request-malformed"),
        Oversized("request-too-large" or "response-too-large"), and OutboundFailure for everything that the
        network, the certificate or the other side got wrong.
        """
        target = _parse(url)
        if len(body) > self._limits.request_bytes_max:
            raise Oversized("request-too-large", "the request's body is larger than may be sent")
        if not _RESERVED_HEADERS.isdisjoint(name.lower() for name in headers):
            raise Invalid("request-malformed", "a header that the client itself sets was given")
        async with self._lane(target.host):
            try:
                async with asyncio.timeout(self._limits.total_wait_s):
                    return await self._exchange(method, target, headers, body, keep_body)
            except (TimeoutError, httpcore2.TimeoutException) as cause:
                raise OutboundFailure("timed-out", "the host did not answer in time") from cause
            except httpcore2.NetworkError as cause:
                if _of_security(cause):
                    raise OutboundFailure("insecure", "the host could not be reached securely") from cause
                raise OutboundFailure("unreachable", "the host could not be reached") from cause
            except httpcore2.LocalProtocolError as cause:
                raise Invalid("request-malformed", "the request is not valid HTTP") from cause
            except httpcore2.ProtocolError as cause:
                raise OutboundFailure("response-malformed", "the answer is not valid HTTP") from cause

    @contextlib.asynccontextmanager
    async def _lane(self, host: str) -> AsyncIterator[None]:
        """Let only so many requests run against one host, so that a slow one holds nobody else up."""
        lane = self._lanes.get(host)
        if lane is None:
            lane = self._lanes[host] = asyncio.Semaphore(self._limits.host_requests_max)
        try:
            async with asyncio.timeout(self._limits.host_wait_s):
                await lane.acquire()
        except TimeoutError as cause:
            raise OutboundFailure("host-busy", "too many requests to this host are under way") from cause
        try:
            yield
        finally:
            lane.release()

    async def _exchange(
        self, method: str, target: httpx2.URL, headers: Mapping[str, str], body: bytes, keep_body: bool
    ) -> OutboundResponse:
        sent = [(b"Host", target.netloc), (b"Accept-Encoding", b"gzip")]
        sent += [(name.encode("ascii", "replace"), value.encode()) for name, value in headers.items()]
        wait = self._limits.connect_wait_s
        async with self._pools[target.scheme].stream(
            method,
            httpcore2.URL(
                scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path
            ),
            headers=sent,
            content=body if body or method != "GET" else None,
            extensions={"timeout": {"connect": wait, "pool": self._limits.host_wait_s}},
        ) as response:
            received = _joined(response.headers)
            if keep_body:
                content = await _read(response, received.get("content-encoding", ""), self._limits)
            else:
                content = await _drain(response)
            return OutboundResponse(response.status, received, content)


def _of_security(failure: BaseException | None) -> bool:
    """Whether TLS is what failed: the layers below give its error on inside errors of their own."""
    while failure is not None and not isinstance(failure, ssl.SSLError):
        failure = failure.__cause__ or failure.__context__
    return failure is not None


def _parse(url: str) -> httpx2.URL:
    """Read an address strictly; raises Invalid("address-refused") for whatever is not plain http(s)."""
    if len(url) > URL_CHARS_MAX:
        raise _refused("the address is too long")
    try:
        target = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError) as cause:
        raise _refused("the address is not a URL") from cause
    if target.scheme not in {"http", "https"}:
        raise _refused("only https is called")
    if target.userinfo:
        raise _refused("the address carries credentials")
    host = target.raw_host.decode("ascii")
    if ":" not in host and _HOST_NAME.fullmatch(host) is None:
        raise _refused("the address has no valid host")
    if target.port is not None and not 0 < target.port < 65_536:
        raise _refused("the address has no valid port")
    return target


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """One text per lower-case header name; repeated headers joined by commas (RFC 9110 §5.3)."""
    joined: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


async def _read(response: httpcore2.Response, encoding: str, limits: OutboundLimits) -> bytes:
    """Read a body whole, stopping in the midst of a chunk that would unfold beyond the limit."""
    if encoding.lower() not in {"", "identity", "gzip"}:
        raise OutboundFailure("response-malformed", "the answer uses an encoding that was not offered")
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16) if encoding.lower() == "gzip" else None
    content = bytearray()
    received = 0
    async for chunk in response.aiter_stream():
        received += len(chunk)
        try:
            room = limits.response_bytes_max - len(content) + 1
            content += inflater.decompress(chunk, room) if inflater else chunk
        except zlib.error as cause:
            raise OutboundFailure("response-malformed", "the answer does not decompress") from cause
        # Both sides are counted: compressed data may also unfold to nothing, for ever.
        if max(received, len(content)) > limits.response_bytes_max:
            raise Oversized("response-too-large", "the answer is larger than may be read")
    if inflater and received and (not inflater.eof or inflater.unused_data):
        raise OutboundFailure("response-malformed", "the answer does not decompress")
    return bytes(content)


async def _drain(response: httpcore2.Response) -> bytes:
    """Read a little of a body that nobody wants, so that the connection can serve the next request."""
    received = 0
    with contextlib.suppress(TimeoutError, httpcore2.NetworkError, httpcore2.ProtocolError):
        async with asyncio.timeout(DRAIN_WAIT_S):
            async for chunk in response.aiter_stream():
                received += len(chunk)
                if received > DRAIN_BYTES_MAX:
                    break
    return b""
