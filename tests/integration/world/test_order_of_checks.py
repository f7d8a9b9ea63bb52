"""What is looked at first: the key, then its rate, then the media type, and only then the body.

Every operation of the OpenAPI documents that demands a key is asked, so that one which is added later and
reads before it asks fails here. The body is withheld: whoever answers has not waited for it.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx2

from services.demo.sample import SLUG
from shared.access import Scope
from tests.integration.world.conftest import PeopledWorld
from tests.integration.world.operations import Operation, walker
from tests.integration.world.test_tenants import SCOPES, key

ANSWER_WAIT_S = 10.0
WITHHELD_BYTES = 100
NO_ID = "00000000-0000-4000-8000-000000000000"
NO_KEY = "mc_00000000_" + "A" * 43
UNREADABLE = (b"", b"{", b"\xff\xfe\x00", b"[" * 5_000, b"null")


def with_ids(operation: Operation) -> str:
    """Return the path of an operation with ids that nothing has."""
    return re.sub(r"{[a-z_]+}", NO_ID, operation.path)


async def asked_without_body(
    address: str, operation: Operation, **headers: str
) -> tuple[int, dict[str, Any]]:
    """Announce a body, send none of it, and return the status and the problem that come back anyway."""
    parts = urlsplit(address)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    lines = [
        f"{operation.method} {with_ids(operation)} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Connection: close",
        f"Content-Length: {WITHHELD_BYTES}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode())
        async with asyncio.timeout(ANSWER_WAIT_S):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
            assert length is not None
            return int(head.split()[1]), json.loads(await reader.readexactly(int(length[1])))
    finally:
        writer.close()


def writing(found: list[Operation]) -> Iterator[Operation]:
    """Yield the operations that demand a key and change something."""
    yield from (each for each in found if each.name in SCOPES and each.method != "GET")


async def test_no_writing_operation_reads_a_body_before_it_knows_the_key(world: PeopledWorld) -> None:
    address = world.installation.address
    keys = {
        scope: (await key(world.installation, SLUG, [each for each in Scope if each is not scope])).token
        for scope in Scope
    }
    await world.settled()
    async with walker(world.installation, {}) as walk:
        found = list(writing(await walk.operations(world.installation)))
    assert len(found) >= 9
    for operation in found:
        lacking = keys[SCOPES[operation.name]]
        json_body = {"Content_Type": operation.media_type or "application/json"}
        for status, code, authorization in (
            (401, "key-missing", {}),
            (401, "key-refused", {"Authorization": f"Bearer {NO_KEY}"}),
            (403, "scope-missing", {"Authorization": f"Bearer {lacking}"}),
        ):
            for headers in ({}, json_body, {"Content_Type": "text/plain"}):
                answer = await asked_without_body(address, operation, **authorization, **headers)
                assert (answer[0], answer[1]["code"]) == (status, code), operation.name


async def test_a_body_of_a_wrong_media_type_is_refused_unread_with_what_to_send(world: PeopledWorld) -> None:
    every = (await key(world.installation, SLUG, list(Scope))).token
    await world.settled()
    authorization = {"Authorization": f"Bearer {every}"}
    taking = []
    async with walker(world.installation, {}) as walk:
        found = list(writing(await walk.operations(world.installation)))
    for operation in (each for each in found if each.media_type is not None):
        taking.append(operation.name)
        for headers in ({}, {"Content_Type": "text/plain"}, {"Content_Type": "application/xml"}):
            status, problem = await asked_without_body(
                world.installation.address, operation, **authorization, **headers
            )
            assert (status, problem["code"]) == (415, "media-type-unread"), operation.name
            assert str(operation.media_type) in problem["title"]
    assert len(taking) >= 6


async def test_what_cannot_be_read_is_refused_as_such_to_one_with_the_key(world: PeopledWorld) -> None:
    every = (await key(world.installation, SLUG, list(Scope))).token
    await world.settled()
    headers = {"Authorization": f"Bearer {every}", "Content-Type": "application/json"}
    async with (
        walker(world.installation, {}) as walk,
        httpx2.AsyncClient(base_url=world.installation.address, headers=headers, trust_env=False) as http,
    ):
        for operation in writing(await walk.operations(world.installation)):
            if operation.media_type == "application/json":
                for body in UNREADABLE:
                    answer = await http.request(operation.method, with_ids(operation), content=body)
                    assert answer.status_code in (400, 422), operation.name
