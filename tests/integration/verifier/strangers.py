"""An issuer who is no tenant of ours, with a web server of its own: DID document, status lists, mishaps."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from shared import clock
from tests.integration.loopback_server import Server, serving
from tests.unit.verifier.credentials import INDEX, Signer, badge, did_document, entry, status_list

HOST = "badges.example"
DID_PATH = "/.well-known/did.json"
LIST_PATH = "/status/1"


@dataclass
class Strangers:
    """What the server has by path: bytes, or a status; any other path is 404."""

    server: Server
    documents: dict[str, bytes | int] = field(default_factory=dict)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.server.port}"

    @property
    def did(self) -> str:
        return f"did:web:{HOST}%3A{self.server.port}"

    @property
    def requests(self) -> list[str]:
        return [request.split(b" ")[1].decode() for request in self.server.requests]

    def signer(self, seed: int = 7) -> Signer:
        return Signer(seed, self.did)

    def settle_in(self, revoked: Iterable[int] = ()) -> None:
        """Publish the keys and one status list."""
        self.documents[DID_PATH] = did_document(self.signer())
        self.documents[LIST_PATH] = self.listed(revoked=revoked)

    def listed(self, path: str = LIST_PATH, signer: Signer | None = None, **members: Any) -> bytes:
        """A signed list of today that stands at `path`; `members` as in credentials.status_list."""
        now = clock.now()
        day = {"validFrom": _stamp(now - timedelta(hours=1)), "validUntil": _stamp(now + timedelta(days=1))}
        return status_list(signer or self.signer(), **({"id": self.url + path} | day | members))

    def badge(self, *paths: str, **members: Any) -> dict[str, Any]:
        """A signed badge with a status entry in each of the lists at `paths`."""
        entries = [self.entry(path) for path in paths or (LIST_PATH,)]
        return self.signer().sign(badge(self.signer(), **({"credentialStatus": entries} | members)))

    def entry(self, path: str = LIST_PATH, index: int = INDEX, **members: Any) -> dict[str, Any]:
        url = self.url + path
        return entry(index, **({"id": f"{url}#{index}", "statusListCredential": url} | members))

    async def answer(self, writer: asyncio.StreamWriter) -> None:
        await self.gate.wait()
        found = self.documents.get(self.requests[-1], 404)
        status, body = (200, found) if isinstance(found, bytes) else (found, b"")
        moved = f"Location: {self.url}/moved\r\n" if status == 302 else ""
        writer.write(f"HTTP/1.1 {status} OK\r\n{moved}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()


@asynccontextmanager
async def strangers_site(tls: ssl.SSLContext) -> AsyncIterator[Strangers]:
    """Serve on loopback until the block ends. Answers wait while `gate` is cleared."""
    site: list[Strangers] = []

    async def answer(writer: asyncio.StreamWriter) -> None:
        await site[0].answer(writer)

    async with serving(answer, tls=tls) as server:
        site.append(Strangers(server))
        site[0].gate.set()
        yield site[0]


def _stamp(moment: Any) -> str:
    return str(moment.isoformat(timespec="seconds").replace("+00:00", "Z"))
