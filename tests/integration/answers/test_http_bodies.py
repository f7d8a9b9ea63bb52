"""A body has a limit, however it is sent and whoever reads it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest

from shared.http import BODY_BYTES_MAX
from tests.integration.answers.answering import SMALL_BYTES_MAX, problem_of


def chunks(size: int) -> Iterator[bytes]:
    """Yield `size` bytes in pieces."""
    for start in range(0, size, 400):
        yield b"x" * min(400, size - start)


async def chunked(size: int) -> AsyncIterator[bytes]:
    for chunk in chunks(size):
        yield chunk


async def test_a_declared_length_beyond_the_limit_is_refused(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/issuer/stream", content=b"x" * (SMALL_BYTES_MAX + 1))
    assert (answer.status_code, problem_of(answer)["code"]) == (413, "body-too-large")


async def test_a_chunked_body_beyond_the_limit_is_refused(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/issuer/stream", content=chunked(SMALL_BYTES_MAX + 1))
    assert (answer.status_code, problem_of(answer)["code"]) == (413, "body-too-large")


async def test_a_body_at_the_limit_is_read_either_way(client: httpx2.AsyncClient) -> None:
    for content in (b"x" * SMALL_BYTES_MAX, chunked(SMALL_BYTES_MAX)):
        answer = await client.post("/issuer/stream", content=content)
        assert answer.json() == {"bytes": SMALL_BYTES_MAX}


async def test_bodies_that_the_framework_reads_have_the_same_limit(client: httpx2.AsyncClient) -> None:
    body = json.dumps({"a": "x" * BODY_BYTES_MAX}).encode()

    async def in_chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    for content in (body, in_chunks()):
        answer = await client.post(
            "/issuer/any", content=content, headers={"Content-Type": "application/json"}
        )
        assert (answer.status_code, problem_of(answer)["code"]) == (413, "body-too-large")


async def raw(address: str, request: bytes) -> bytes:
    """Send bytes as they are and return what comes back until the server closes."""
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    await writer.drain()
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize("length", [b"-1", b"1e9", b"\xb2", b"9" * 5_000])
async def test_a_malformed_length_is_the_senders_fault(client: httpx2.AsyncClient, length: bytes) -> None:
    answer = await raw(
        str(client.base_url).rstrip("/"),
        b"POST /issuer/stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: "
        + length
        + b"\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 4")
