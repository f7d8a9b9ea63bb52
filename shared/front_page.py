"""What stands at `/`: where each service describes itself, for people as HTML and for programs as JSON.

A service's name alone (`/issuer`, `/issuer/`) leads to its page. Open like the pages that it names, and it
tells nothing about anyone. Links are relative: whatever stands in front of the process may put it under a
path of its own.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from shared.media_types import preferred

TYPES = ("application/json", "text/html")
PUBLIC_ADDRESSES = "public addresses"
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>microcred</title>
<h1>microcred</h1>
<p>Issues micro-credentials. Each service describes itself:</p>
<ul>
{items}
</ul>
</html>
"""
ITEM = '<li><a href="{docs}">{name}</a> (<a href="{openapi}">OpenAPI</a>)</li>'


def front_page(services: Sequence[str]) -> APIRouter:
    """Return the routes of `/` and of each name alone for a process that runs `services`, by name."""
    router = APIRouter()
    listed = [
        {"name": name, "docs": f"{path}docs", "openapi": f"{path}openapi.json"}
        for name, path in [*((name, f"{name}/") for name in services), (PUBLIC_ADDRESSES, "")]
    ]
    items = "\n".join(
        ITEM.format_map({key: html.escape(text) for key, text in each.items()}) for each in listed
    )

    @router.get("/", include_in_schema=False)
    async def front(accept: Annotated[str, Header()] = "*/*") -> Response:
        headers = {"Vary": "Accept"}
        if preferred(accept, TYPES) == "text/html":
            return HTMLResponse(PAGE.format(items=items), headers=headers)
        return JSONResponse({"documentation": listed}, headers=headers)

    for name in services:
        router.include_router(leading(f"/{name}", f"{name}/docs"))
    return router


def leading(path: str, docs: str) -> APIRouter:
    """Return a route at `path` that leads to `docs`, which is relative to it."""
    router = APIRouter()

    @router.get(path, include_in_schema=False)
    async def lead() -> Response:
        return RedirectResponse(docs)

    return router
