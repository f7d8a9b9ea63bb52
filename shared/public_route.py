"""The addresses that stand in signed documents, as every reader needs them: one route class for all services.

Such an address answers HEAD like GET without the body (RFC 9110 §9.1 and §9.3.2), and lets the scripts of
any site read its answer, refusals included (`Access-Control-Allow-Origin`, Fetch standard §3.3.3): a verifier
in a browser must be able to tell "erased" from "no network". Nothing here depends on who asks, so there is
nothing that another site could borrow. Refused: every other method, with the two that there are; and an id of
a form that no id has, as unknown: a reader who followed a link has no request of his own to mend.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from shared.errors import NotFound

METHODS = ("GET", "HEAD")
ANY_SITE = (b"access-control-allow-origin", b"*")


class PublicRoute(APIRoute):
    """A route that is declared as GET alone; give it as `route_class` to the router of public addresses."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Routing hands over whatever has this path and that no other route answers, by any method.
        if scope["method"] not in METHODS:
            raise HTTPException(405, headers={"Allow": ", ".join(METHODS)})

        async def send_to_any_site(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], ANY_SITE]
            await send(message)

        # The server, not the route, leaves out the body of an answer to HEAD.
        await super().handle({**scope, "method": "GET"}, receive, send_to_any_site)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        serve = super().get_route_handler()

        async def serve_what_is_there(request: Request) -> Response:
            try:
                return await serve(request)
            except RequestValidationError as refusal:
                if any(fault["loc"][0] != "path" for fault in refusal.errors()):
                    raise
                raise NotFound("address-unknown", "There is nothing at this address.") from None

        return serve_what_is_there
