"""For the outbound client's tests: servers that answer anything, a resolver that changes its mind."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from shared.outbound import OutboundClient, OutboundLimits

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
        ended = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError)
        with contextlib.suppress(*ended):
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
            cut(writer.transport)


def cut(transport: asyncio.WriteTransport) -> None:
    """End a connection at once, whether or not it has ended."""
    with contextlib.suppress(AttributeError):  # raised by Python 3.11.2 for TLS that has ended
        transport.abort()


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
