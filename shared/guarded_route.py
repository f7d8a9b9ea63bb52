"""The operations that demand an API key: one route class that looks at the key before anything else.

The framework reads a body before it asks any dependency, so a stranger could have bytes parsed and learn what
is wrong with them. A GuardedRoute looks in this order, and refuses at the first step that fails:

    the key and its scope (401, 403), the key's rate limit (429), the body's media type (415), the body

The body is read strictly (shared/proofs/strictjson.py): what stands there twice, or what another reader would
read otherwise, is refused (422) and not settled in favour of either.

An operation declares `caller: Annotated[Caller, guard(Scope.X)]` on a router made with
`route_class=GuardedRoute`. On any other route it is served to nobody: its key was never looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from email.message import Message
from typing import Annotated, Any

from fastapi import Depends, Request, Response, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.routing import APIRoute
from fastapi.security.base import SecurityBase
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from shared import access
from shared.access import Access, Caller
from shared.errors import UnreadMedia
from shared.http import client_of
from shared.limits import RateLimit
from shared.proofs import strictjson

JSON = "application/json"


class BearerKey(SecurityBase):
    """Declares in OpenAPI that an operation takes an API key, and hands on the header as it was sent.

    FastAPI's own HTTPBearer would read the header first; what a key looks like is shared/access.py's to say.
    """

    scheme_name = "ApiKey"
    model = HTTPBearer(
        bearerFormat="mc_…",
        description="An API key (`mc_…`); an operator makes one with `microcred keys create`.",
    )

    async def __call__(self, request: Request) -> str | None:
        return request.headers.get("Authorization")


BEARER_KEY = BearerKey()


class Demand:
    """What an operation demands: an API key with one scope, and a request left in its rate limit."""

    def __init__(self, access_of_service: Access, limit: RateLimit, scope: access.Scope) -> None:
        self._access = access_of_service
        self._limit = limit
        self._scope = scope

    async def admit(self, request: Request) -> None:
        """Look at the key, once for a request. Raises Unauthenticated, Forbidden or TooMany."""
        authorization = await BEARER_KEY(request)
        known = await self._access.caller(authorization, self._scope, client_of(request))
        self._limit.spend(known.prefix)
        request.state.caller = known

    async def __call__(
        self, request: Request, declared: Annotated[str | None, Depends(BEARER_KEY)]
    ) -> Caller:
        """Return who was admitted; fails on a route that admits nobody."""
        caller: Caller = request.state.caller
        return caller


class Guard:
    """Demands API keys on behalf of one service's routes: `caller: Annotated[Caller, guard(Scope.X)]`."""

    def __init__(self, access_of_service: Access, limit: RateLimit) -> None:
        self._access = access_of_service
        self._limit = limit

    def __call__(self, scope: access.Scope) -> Any:
        return Security(Demand(self._access, self._limit, scope), scopes=[scope.value])


class GuardedRoute(APIRoute):
    """A route that admits before it reads; one that declares no demand is open, and still asks for JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        read_and_serve = super().get_route_handler()
        # Each once: a demand may be declared both as a parameter and in `dependencies`.
        demands = dict.fromkeys(
            each.call for each in self.dependant.dependencies if isinstance(each.call, Demand)
        )
        # A body that an operation reads itself, byte for byte, is declared in its `openapi_extra` alone.
        declared = (self.openapi_extra or {}).get("requestBody", {}).get("content", {})
        takes_json = self.body_field is not None or [*declared] == [JSON]

        async def admit_first(request: Request) -> Response:
            for demand in demands:
                await demand.admit(request)
            if takes_json:
                if not _is_json(request.headers.get("Content-Type", "")):
                    raise UnreadMedia(
                        "media-type-unread", f"Send the body as JSON, with the header 'Content-Type: {JSON}'."
                    )
                request = await _read_strictly(request)
            return await read_and_serve(request)

        return admit_first


class _StrictRequest(Request):
    """A request whose JSON is read strictly, once: the framework and an operation ask for the same value."""

    _value: strictjson.JsonValue

    async def json(self) -> strictjson.JsonValue:
        if not hasattr(self, "_value"):
            self._value = strictjson.loads(await self.body())
        return self._value


async def _read_strictly(request: Request) -> Request:
    """Read the body of `request`. Raises Invalid; without any body nothing is wrong yet."""
    strict = _StrictRequest(request.scope, request.receive)
    try:
        body = await strict.body()
    except ClientDisconnect:
        raise HTTPException(400, "The body ended before its end.") from None
    if body:
        await strict.json()
    return strict


def _is_json(content_type: str) -> bool:
    """Tell whether a media type is JSON, as RFC 6839 §3.1 lets others say it too (`…+json`)."""
    header = Message()
    header["Content-Type"] = content_type
    subtype = header.get_content_subtype()
    return header.get_content_maintype() == "application" and (subtype == "json" or subtype.endswith("+json"))
