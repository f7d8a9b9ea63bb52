"""The verifier's addresses: `POST /verifier/verify`, and `/status/{id}` that stands in signed documents.

Both are open to anyone. What was sent for verification is neither kept nor logged.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response

from services.verifier import handlers
from services.verifier.answers import answer_json
from services.verifier.api.answer_models import PresentationAnswer, VerdictAnswer
from services.verifier.api.texts import CHALLENGE, DOMAIN, EXAMPLE, EXPECTED_CHARS_MAX, TOO_OFTEN
from services.verifier.examination.examine import Expected
from services.verifier.examination.opening import INPUT_BYTES_MAX, MEDIA_TYPES
from services.verifier.handlers import Verify
from services.verifier.store import ListRow
from shared import clock
from shared.attended import unless_gone
from shared.database import Database
from shared.http import client_of
from shared.limits import RateLimit
from shared.media_types import preferred
from shared.public_route import PublicRoute

# Plain JSON unless another is asked for by name: clients that parse by media type, the W3C conformance suite
# among them, do not take `application/vc` for JSON.
LIST_TYPES = ("application/json", "application/ld+json", "application/vc", "application/vc+ld+json")
BODY_BYTES_MAX = {"/verify": INPUT_BYTES_MAX}
MAX_AGE_DEFAULT_S = 300
MAX_AGE_S_MAX = 86_400


def routes(verify: Verify, limit: RateLimit) -> APIRouter:
    """Routes under `/verifier`."""
    router = APIRouter(tags=["verify"])

    @router.post(
        "/verify",
        summary="Is this credential good?",
        response_model=VerdictAnswer | PresentationAnswer,
        openapi_extra={"requestBody": _body()},
        responses={
            413: {"description": f"More than {INPUT_BYTES_MAX} bytes."},
            429: {"description": TOO_OFTEN},
        },
    )
    async def verify_credential(
        request: Request,
        domain: Annotated[str | None, Query(max_length=EXPECTED_CHARS_MAX, description=DOMAIN)] = None,
        challenge: Annotated[str | None, Query(max_length=EXPECTED_CHARS_MAX, description=CHALLENGE)] = None,
    ) -> dict[str, Any]:
        """Verifies an Open Badge 3.0, any credential of the W3C data model 2.0, or a presentation of some.

        The body is the credential or the presentation as it is: JSON with Data Integrity proofs, a token
        (`vc+jwt`, `vp+jwt`, or the form of Open Badges), or a baked PNG or SVG; JSON may also be wrapped as
        `{"verifiableCredential": …}` or `{"verifiablePresentation": …}`. Its bytes say which of these it is.
        The answer is 200 with a verdict for any bytes at all: what cannot be read is `invalid`.
        """
        limit.spend(caller := client_of(request))
        body, expected = await request.body(), Expected(domain, challenge)
        return answer_json(await unless_gone(request, verify(body, clock.now(), caller, expected)))

    return router


def public_routes(database: Database) -> APIRouter:
    """Routes at the root: the addresses that stand in credentials."""
    router = APIRouter(tags=["status lists"], route_class=PublicRoute)

    @router.get(
        "/status/{list_id}",
        summary="The newest version of a status list",
        response_class=Response,
        responses={
            200: {"content": {name: {"schema": {"type": "object"}} for name in LIST_TYPES}},
            304: {"description": "The version that If-None-Match names is still the newest."},
            404: {"description": "There is no such list."},
        },
    )
    async def status_list(
        list_id: str,
        accept: Annotated[str | None, Header()] = None,
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        """A signed BitstringStatusListCredential, as JSON unless Accept names another of its media types."""
        row = await handlers.list_to_serve(database, list_id)
        media_type = preferred(accept, LIST_TYPES)
        etag = _etag(row, media_type)
        headers = {
            "ETag": etag,
            "Cache-Control": f"public, max-age={_max_age_s(row)}",
            "Vary": "Accept",
        }
        if if_none_match is not None and _names(if_none_match, etag):
            return Response(status_code=304, headers=headers)
        return Response(row.credential.encode(), media_type=media_type, headers=headers)

    return router


def _etag(row: ListRow, media_type: str) -> str:
    """A strong validator: another one for each representation (RFC 9110 §8.8.3.3)."""
    suffix = "" if media_type == LIST_TYPES[0] else f"-{media_type.partition('/')[2]}"
    return f'"{row.sha256}{suffix}"'


def _max_age_s(row: ListRow) -> int:
    """As long as the list's ttl allows, but never beyond its validity (Bitstring Status List 1.0 §2.2)."""
    ttl_s = MAX_AGE_DEFAULT_S if row.ttl_ms is None else row.ttl_ms // 1000
    left_s = int((row.valid_until - clock.now()).total_seconds())
    return max(0, min(ttl_s, left_s, MAX_AGE_S_MAX))


def _names(if_none_match: str, etag: str) -> bool:
    """Whether the header names the version; its comparison is the weak one (RFC 9110 §13.1.2)."""
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return etag in tags or "*" in tags


def _body() -> dict[str, Any]:
    examples = {
        "bare": {"summary": "The credential as it is", "value": EXAMPLE},
        "wrapped": {"summary": "In an envelope", "value": {"verifiableCredential": EXAMPLE}},
    }
    content: dict[str, Any] = {name: {} for name in MEDIA_TYPES}
    content["application/json"] = {"schema": {"type": "object"}, "examples": examples}
    return {"required": True, "content": content}
