"""The one port in front of the processes: looks at a request's path and hands the connection on.

It joins two streams of bytes and reads nothing but the head, so that an answer may begin while the request
is still being sent (the bulk upload does that, and no HTTP client library for a proxy can). Each connection
carries one request. For development; an installation has a real proxy with TLS here (docs/OPERATIONS.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

HEAD_BYTES_MAX = 64 * 1024
HEAD_WAIT_S = 60.0
CONNECT_WAIT_S = 5.0
CHUNK_BYTES = 64 * 1024
AWAY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s"
)
AWAY_BODY = (
    b'{"type":"urn:microcred:problem:unavailable","status":503,"code":"unavailable",'
    b'"title":"The service is being started."}'
)

BROKEN_OFF = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
"""How a connection ends that is not worth an answer."""

Backends = Callable[[str], Sequence[str]]
"""The addresses that may answer a path, any of them."""


class Door:
    """Hands connections on to `backends`, in turn where there are several."""

    def __init__(self, backends: Backends) -> None:
        self._backends = backends
        self._turn = itertools.count()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        with contextlib.suppress(*BROKEN_OFF):
            async with asyncio.timeout(HEAD_WAIT_S):
                head = await reader.readuntil(b"\r\n\r\n")
            behind = await self._connected(_path(head))
            if behind is None:
                writer.write(AWAY % (len(AWAY_BODY), AWAY_BODY))
                await writer.drain()
            else:
                await _join(head, (reader, writer), behind)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def _connected(self, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """Connect to whoever answers `path`; None where nobody does."""
        addresses = self._backends(path)
        first = next(self._turn)
        for step in range(len(addresses)):
            parts = urlsplit(addresses[(first + step) % len(addresses)])
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_WAIT_S):
                    return await asyncio.open_connection(parts.hostname, parts.port)
        return None


def _path(head: bytes) -> str:
    target = head.partition(b" ")[2].partition(b" ")[0]
    return target.partition(b"?")[0].decode("latin-1")


def _closing(head: bytes, client: str) -> bytes:
    """Return the head with one request a connection, and with the client's address for those who count it."""
    lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    dropped = (b"connection", b"keep-alive", b"x-forwarded-for")
    kept = [line for line in lines if line.partition(b":")[0].lower() not in dropped]
    kept += [b"Connection: close", b"X-Forwarded-For: " + client.encode()]
    return b"\r\n".join(kept) + b"\r\n\r\n"


async def _join(
    head: bytes,
    client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    behind: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    """Carry bytes both ways until either side has ended."""
    try:
        behind[1].write(_closing(head, client[1].get_extra_info("peername")[0]))
        asking = asyncio.create_task(_carry(client[0], behind[1]))
        answering = asyncio.create_task(_carry(behind[0], client[1]))
        _, unfinished = await asyncio.wait((asking, answering), return_when=asyncio.FIRST_COMPLETED)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(asking, answering, return_exceptions=True)
    finally:
        behind[1].close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()


@asynccontextmanager
async def door(host: str, port: int, backends: Backends) -> AsyncIterator[str]:
    """Stand at `port` until the block ends; yields the address. Raises OSError if the port is taken."""
    server = await asyncio.start_server(Door(backends).serve, host, port, limit=HEAD_BYTES_MAX)
    try:
        yield f"http://{host}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
