"""A response that is written while the request's body is still being read.

Starlette's own StreamingResponse listens for a hang-up by receiving, and would swallow the body's chunks.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

SEND_WAIT_S = 60.0
"""A caller who takes nothing for so long is given up."""


class DuplexResponse(Response):
    """Sends `first` and then the pieces of `rest` as they come; `rest` is closed in any case."""

    def __init__(self, first: bytes, rest: AsyncGenerator[bytes], media_type: str) -> None:
        super().__init__(media_type=media_type)
        del self.headers["content-length"]
        self._first = first
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._rest):
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            await _send(send, self._first, more=True)
            async for piece in self._rest:
                await _send(send, piece, more=True)
            await _send(send, b"", more=False)


async def _send(send: Send, piece: bytes, more: bool) -> None:
    async with asyncio.timeout(SEND_WAIT_S):
        await send({"type": "http.response.body", "body": piece, "more_body": more})
