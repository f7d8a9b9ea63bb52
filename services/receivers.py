"""Real receivers for development: a mailbox that speaks SMTP and a partner's endpoint that speaks webhooks.

The demo, the development world and the tests send to these, so that what leaves the house is seen from the
other side: whole messages as they arrived, and signatures checked the way a partner checks them, without the
sender's code. Development pieces: they listen on loopback alone, deliver to nobody, keep a bounded number of
messages and refuse more than a bounded size. Never a part of production.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections import deque
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import orjson
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.app import listening
from shared.clock import now

HOST: Final = "127.0.0.1"
MESSAGES_KEPT_MAX: Final = 20_000
DELIVERIES_KEPT_MAX: Final = 20_000
MESSAGE_BYTES_MAX: Final = 1 << 20
TOLERANCE_S: Final = 300
SENDER: Final = "credentials@microcred.example"


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """A message as it arrived, with its envelope and the file that keeps it."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    path: Path


class Mailbox:
    """An SMTP server that keeps every message as an .eml file in a folder, numbered in order of arrival.

    Files of an earlier run stay and count on; past MESSAGES_KEPT_MAX the oldest message of this run goes.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        """`port` 0 takes a free one."""
        self.messages: deque[ReceivedMail] = deque()
        self._folder = folder
        self._port = port
        self._number = 0
        self._refusals: deque[str] = deque()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    def settings(self) -> dict[str, str]:
        """Return the settings, as variables, that make a notifier hand its letters in here."""
        return {
            "SMTP_HOST": HOST,
            "SMTP_PORT": str(self._port),
            "SMTP_ENCRYPTION": "none",
            "MAIL_SENDER": SENDER,
        }

    def refuse(self, times: int, reply: str) -> None:
        """Answer the next `times` messages with `reply`, such as `451 4.3.0 Try later`, and keep none."""
        self._refusals.extend([reply] * times)

    def message_naming(self, text: str) -> bytes:
        """Return the first message whose text names `text`. Raises LookupError if none does."""
        for message in self.messages:
            if text.encode() in _unfolded(message.content):
                return message.content
        raise LookupError("no message names it")

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        self._number = await asyncio.to_thread(_highest_number, self._folder)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(
                self,
                hostname="localhost",
                ident="microcred development mailbox",
                data_size_limit=MESSAGE_BYTES_MAX,
                enable_SMTPUTF8=True,
                loop=loop,
            ),
            HOST,
            self._port,
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Keep one message: the hook by which aiosmtpd hands it over."""
        if self._refusals:
            return self._refusals.popleft()
        self._number += 1
        path = self._folder / f"{self._number:06d}.eml"
        content = envelope.original_content or b""
        await asyncio.to_thread(path.write_bytes, content)
        self.messages.append(
            ReceivedMail(str(envelope.mail_from), tuple(map(str, envelope.rcpt_tos)), content, path)
        )
        if len(self.messages) > MESSAGES_KEPT_MAX:
            await asyncio.to_thread(self.messages.popleft().path.unlink, missing_ok=True)
        return "250 2.0.0 Kept"


def _highest_number(folder: Path) -> int:
    return max((int(path.stem) for path in folder.glob("*.eml") if path.stem.isdecimal()), default=0)


def _unfolded(content: bytes) -> bytes:
    """Undo the soft line breaks and escapes of quoted-printable, enough to look for an address."""
    return content.replace(b"=\r\n", b"").replace(b"=3D", b"=")


@dataclass(frozen=True, slots=True)
class ReceivedWebhook:
    """A webhook as it arrived: headers by lower-case name. `verified` is the partner's own judgement."""

    headers: dict[str, str]
    body: bytes
    verified: bool

    @property
    def id(self) -> str:
        """The message's id, the same over all attempts."""
        return self.headers.get("webhook-id", "")

    @property
    def kind(self) -> str:
        """The member `type` of the body: what is told."""
        return str(orjson.loads(self.body)["type"])

    @property
    def data(self) -> dict[str, Any]:
        """The member `data` of the body."""
        data: dict[str, Any] = orjson.loads(self.body)["data"]
        return data

    def as_json(self) -> dict[str, Any]:
        """Return headers and body for a file; the body is text, exactly as it was signed."""
        return {"headers": self.headers, "body": self.body.decode()}


class PartnerEndpoint:
    """A partner's web server: checks each webhook's signature and keeps what it gets.

    Answers 204, or 401 where no secret that it trusts has signed; `fail` and `pause` are for tests.
    """

    def __init__(self, port: int = 0) -> None:
        """`port` 0 takes a free one."""
        self.received: deque[ReceivedWebhook] = deque(maxlen=DELIVERIES_KEPT_MAX)
        self._port = port
        self._secrets: list[str] = []
        self._failures: deque[tuple[int, dict[str, str]]] = deque()
        self._open = asyncio.Event()
        self._open.set()
        self._address = ""
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        """Where webhooks are posted."""
        return f"{self._address}/webhooks"

    @property
    def deliveries(self) -> list[ReceivedWebhook]:
        """What arrived with a good signature, in order."""
        return [each for each in self.received if each.verified]

    def trust(self, secret: str) -> None:
        """Take `secret` (`whsec_…`) as one that may sign, besides those taken before."""
        self._secrets.append(secret)

    def fail(self, times: int, status: int, headers: dict[str, str] | None = None) -> None:
        """Answer the next `times` webhooks with `status`, after keeping them like all others."""
        self._failures.extend([(status, headers or {})] * times)

    def pause(self) -> None:
        """Take webhooks and answer none of them until `resume`."""
        self._open.clear()

    def resume(self) -> None:
        """Answer again."""
        self._open.set()

    def delivery_about(self, credential_id: str, kind: str) -> ReceivedWebhook:
        """Return the first good delivery of `kind` about a credential. Raises LookupError if none is."""
        for delivery in self.deliveries:
            if delivery.kind == kind and delivery.data["credential_id"] == credential_id:
                return delivery
        raise LookupError("no delivery is about it")

    def believes(self, headers: dict[str, str], body: bytes) -> bool:
        """Tell whether it would take a webhook for one of its own."""
        return is_signed(self._secrets, headers, body)

    async def __aenter__(self) -> Self:
        app = Starlette(routes=[Route("/webhooks", self._take, methods=["POST"])])
        self._address = await self._stack.enter_async_context(listening(app, HOST, self._port))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.resume()
        await self._stack.aclose()

    async def _take(self, request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MESSAGE_BYTES_MAX:
                return Response(status_code=413)
        headers = dict(request.headers)
        verified = self.believes(headers, bytes(body))
        self.received.append(ReceivedWebhook(headers, bytes(body), verified))
        await self._open.wait()
        if self._failures:
            status, extra = self._failures.popleft()
            return Response(status_code=status, headers=extra)
        return Response(status_code=204 if verified else 401)


def is_signed(secrets: list[str], headers: dict[str, str], body: bytes) -> bool:
    """Check a webhook as Standard Webhooks asks of a receiver: fresh, and signed under a trusted secret."""
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(now().timestamp() - int(timestamp)) > TOLERANCE_S:
        return False
    signed = f"{headers.get('webhook-id', '')}.{timestamp}.".encode() + body
    given = [each.removeprefix("v1,") for each in headers.get("webhook-signature", "").split(" ")]
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        expected = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
        if any(hmac.compare_digest(expected, each) for each in given):
            return True
    return False
