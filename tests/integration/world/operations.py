"""Every operation that a running world publishes in its OpenAPI, and how to ask it: for walking all of them.

Read from the world itself and not from a list, so that an operation added later is walked too. What a list
must say (a body that works, an id's value) is asked by name, and a missing name fails the test that walks.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx2

from services.world import World

REQUEST_WAIT_S = 30


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address. `path` is the template below the world's address."""

    method: str
    path: str
    parameters: tuple[tuple[str, str], ...]
    """(name, where): where is `path` or `query`."""
    media_type: str | None

    @property
    def name(self) -> str:
        """How lists in tests call it."""
        return f"{self.method} {self.path}"


class Walker:
    """Asks operations of one world with the values and bodies that it was given."""

    def __init__(self, http: httpx2.AsyncClient, bodies: Mapping[str, Any]) -> None:
        self._http = http
        self._bodies = bodies

    async def operations(self, world: World) -> list[Operation]:
        """Return every operation of the world's services and of its public addresses."""
        found = []
        for mount in ("", *(f"/{service}" for service in world.settings)):
            document = (await self._http.get(f"{mount}/openapi.json")).json()
            for path, methods in document["paths"].items():
                found += [_operation(method, f"{mount}{path}", facts) for method, facts in methods.items()]
        return found

    async def ask(
        self, operation: Operation, values: Mapping[str, str | None], token: str | None
    ) -> httpx2.Response:
        """Send `operation` with the ids of `values`; a value None leaves its parameter out.

        In bodies every string `{name}` stands for a value too. Raises KeyError where a list lacks something.
        """
        path, query = operation.path, {}
        for name, where in operation.parameters:
            value = values[name]
            if where == "path":
                path = path.replace(f"{{{name}}}", str(value))
            elif value is not None:
                query[name] = value
        content = None
        if operation.media_type is not None:
            content = json.dumps(self.body(operation, values)).encode()
        return await self.send(operation, path + (f"?{urlencode(query)}" if query else ""), token, content)

    def body(self, operation: Operation, values: Mapping[str, str | None]) -> Any:
        """Return the body that works for `operation`, with the ids of `values` in it."""
        return _filled(self._bodies[operation.name], values)

    async def send(
        self, operation: Operation, target: str, token: str | None, content: bytes | None
    ) -> httpx2.Response:
        """Send bytes to `target`, a path with its query as it goes over the wire."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        if operation.media_type is not None:
            headers["Content-Type"] = operation.media_type
        return await self._http.request(operation.method, target, headers=headers, content=content)


@asynccontextmanager
async def walker(world: World, bodies: Mapping[str, Any]) -> AsyncIterator[Walker]:
    """Open a Walker on `world`; `bodies` has one, by name, for each operation that takes one."""
    async with httpx2.AsyncClient(base_url=world.address, trust_env=False, timeout=REQUEST_WAIT_S) as http:
        yield Walker(http, bodies)


def _operation(method: str, path: str, facts: dict[str, Any]) -> Operation:
    parameters = tuple(
        (each["name"], each["in"]) for each in facts.get("parameters", ()) if each["in"] in ("path", "query")
    )
    media_types = facts.get("requestBody", {}).get("content", {})
    return Operation(method.upper(), path, parameters, next(iter(media_types), None))


def _filled(body: Any, values: Mapping[str, str | None]) -> Any:
    if isinstance(body, dict):
        return {key: _filled(value, values) for key, value in body.items()}
    if isinstance(body, str) and body.startswith("{"):
        return values[body[1:-1]]
    return body
