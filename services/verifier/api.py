"""The verifier's addresses: `POST /verifier/verify`, and `/status/{id}` that stands in signed documents.

Both are open to anyone. What was sent for verification is neither kept nor logged.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from services.verifier import handlers
from services.verifier.answers import verdict_json
from services.verifier.handlers import Verify
from services.verifier.store import ListRow
from services.verifier.verdict import CHECKS
from shared import clock
from shared.database import Database
from shared.http import client_of
from shared.limits import RateLimit
from shared.media_types import preferred
from shared.proofs.strictjson import DOCUMENT_BYTES_MAX
from shared.public_route import PublicRoute

# Plain JSON unless another is asked for by name: clients that parse by media type, the W3C conformance suite
# among them, do not take `application/vc` for JSON.
LIST_TYPES = ("application/json", "application/ld+json", "application/vc", "application/vc+ld+json")
BODY_BYTES_MAX = {"/verify": DOCUMENT_BYTES_MAX}
MAX_AGE_DEFAULT_S = 300
MAX_AGE_S_MAX = 86_400

EXAMPLE: dict[str, Any] = json.loads(
    resources.files("services.verifier").joinpath("example_credential.json").read_bytes()
)


class CheckAnswer(BaseModel):
    """One question that was asked of the credential."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description=f"One of, always all and in this order: {', '.join(CHECKS)}.")
    outcome: Literal["passed", "failed", "unknown", "skipped"] = Field(
        description="`unknown`: this verifier cannot tell. `skipped`: an earlier failure left nothing to ask."
    )
    code: str | None = Field(
        description="For programs: the name that the standards give the error (such as"
        " `PROOF_VERIFICATION_ERROR`), or ours (such as `EXPIRED`). Null unless failed or unknown."
    )
    type: str | None = Field(
        description="The problem type (a URL) that a standard gives the error: Data Integrity 1.0, VC Data"
        " Model 2.0, Bitstring Status List 1.0. Null where none does."
    )
    sentence: str = Field(description="For people.")


class StatusAnswer(BaseModel):
    """What one status list says (Bitstring Status List 1.0, validate algorithm)."""

    model_config = ConfigDict(extra="forbid")

    purpose: str = Field(description="`revocation`, `suspension`, `refresh` or `message`.")
    status: int = Field(description="The credential's value in the list.")
    valid: bool = Field(description="Whether that value is 0.")
    message: str | None = Field(description="The issuer's own words for the value: not ours, and unchecked.")


class RecognitionAnswer(BaseModel):
    """What the registry of recognised issuers says of this one."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="The name under which it is recognised.")
    since: str = Field(description="Since when (UTC, milliseconds).")
    source: str = Field(description="Who says so: this installation, or the operator of a registry.")


class VerdictAnswer(BaseModel):
    """The verdict on a credential."""

    model_config = ConfigDict(extra="forbid")

    verdict: Literal["valid", "invalid", "unknown"] = Field(
        description="`invalid` if any check but the last failed; `valid` only if all but the last passed;"
        " else `unknown`. `issuer recognised` stands beside the verdict and does not decide it."
    )
    sentence: str = Field(description="The verdict in a sentence, with the first reason for it.")
    at: str = Field(description="The moment for which the verdict holds (UTC, milliseconds).")
    issuer: str | None = Field(
        description="The issuer's identifier as the credential has it; not yet proved."
    )
    checks: list[CheckAnswer] = Field(description="Every check, in the order in which they were made.")
    statuses: list[StatusAnswer] = Field(
        description="What the status lists say that are the issuer's word today; empty where none is at hand."
    )
    recognitions: list[RecognitionAnswer] = Field(
        description="Who recognises the issuer; empty for a stranger, and where it is not proved who issued."
    )


def routes(verify: Verify, limit: RateLimit) -> APIRouter:
    """Routes under `/verifier`."""
    router = APIRouter(tags=["verify"])

    @router.post(
        "/verify",
        summary="Is this credential good?",
        response_model=VerdictAnswer,
        openapi_extra={"requestBody": _body()},
        responses={
            413: {"description": f"More than {DOCUMENT_BYTES_MAX} bytes."},
            429: {"description": "This client address asks too often; Retry-After says when to ask again."},
        },
    )
    async def verify_credential(request: Request) -> dict[str, Any]:
        """Verifies an Open Badge 3.0, or any credential of the W3C data model 2.0 with Data Integrity proofs.

        The body is the credential as it is, or `{"verifiableCredential": …}`. The answer is 200 with a
        verdict for any bytes at all: what cannot be read is `invalid`.
        """
        limit.spend(client_of(request))
        verdict = await verify(await request.body(), clock.now())
        return verdict_json(verdict)

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
    return {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}, "examples": examples}},
    }
