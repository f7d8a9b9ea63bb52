"""The port in front: hands on by path, in turn, and answers while the request is still being sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from services.fleet.door import door
from shared.app import listening
from shared.embedded import free_port

HOST = "127.0.0.1"
WAIT_S = 20


class Echo:
    """Sends what it reads as it reads it. (Starlette's streaming answer would not.)"""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        more = True
        while more:
            message = await receive()
            more = message.get("more_body", False)
            await send({"type": "http.response.body", "body": message.get("body", b""), "more_body": more})


def named(name: str) -> Starlette:
    """An application that says who answers, and one path that echoes as it reads."""

    async def who(request: Request) -> Response:
        seen = {key: request.headers.get(key, "") for key in ("connection", "x-forwarded-for")}
        return JSONResponse(
            {"name": name, "path": request.url.path, "body": len(await request.body()), **seen}
        )

    return Starlette(
        routes=[Route("/echo", Echo(), methods=["POST"]), Route("/{rest:path}", who, methods=["GET", "POST"])]
    )


@pytest.fixture
async def address() -> AsyncIterator[str]:
    """A door before two processes for /many, one for everything else, and one that is away for /away."""
    async with AsyncExitStack() as stack:
        one, two, other = [
            await stack.enter_async_context(listening(named(name), HOST, 0))
            for name in ("one", "two", "other")
        ]
        nobody = f"http://{HOST}:{free_port()}"

        def backends(path: str) -> Sequence[str]:
            if path.startswith("/many"):
                return [one, nobody, two]
            return [nobody] if path.startswith("/away") else [other]

        yield await stack.enter_async_context(door(HOST, 0, backends))


async def test_a_path_goes_to_who_answers_it_in_turn_and_past_who_is_away(address: str) -> None:
    async with httpx2.AsyncClient(base_url=address, trust_env=False) as http:
        names = {(await http.get("/many/x?y=/away")).json()["name"] for _ in range(6)}
        assert names == {"one", "two"}
        told = (await http.post("/credentials", content=b"x" * 3_000_000)).json()
        assert told == {
            "name": "other",
            "path": "/credentials",
            "body": 3_000_000,
            "connection": "close",
            "x-forwarded-for": HOST,
        }


async def test_where_nobody_answers_the_caller_is_told_to_come_again(address: str) -> None:
    async with httpx2.AsyncClient(base_url=address, trust_env=False) as http:
        answer = await http.get("/away")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["code"] == "unavailable"


async def test_an_answer_begins_while_the_request_is_still_being_sent(address: str) -> None:
    reader, writer = await asyncio.open_connection(HOST, int(address.rpartition(":")[2]))
    async with asyncio.timeout(WAIT_S):
        writer.write(
            b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nContent-Length: 10\r\n\r\nhello"
        )
        assert b"hello" in await reader.readuntil(b"hello")
        writer.write(b"world")
        assert b"world" in await reader.read()
    writer.close()


async def test_what_is_no_http_ends_quietly(address: str) -> None:
    for noise in (b"\r\n\r\n", b"x" * 100_000, b"GET\r\n\r\n"):
        reader, writer = await asyncio.open_connection(HOST, int(address.rpartition(":")[2]))
        writer.write(noise)
        writer.write_eof()
        async with asyncio.timeout(WAIT_S):
            await asyncio.gather(reader.read(), return_exceptions=True)
        writer.close()
    async with httpx2.AsyncClient(base_url=address, trust_env=False) as http:
        assert (await http.get("/still")).json()["name"] == "other"
