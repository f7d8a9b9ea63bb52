"""A house with one service that does nothing but answer, in each way in which a service may answer."""

# Without postponed annotations: FastAPI reads them, and the guard in them is a local.

import uuid
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

import httpx2
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from shared import errors, telemetry
from shared.access import Caller, Scope
from shared.guarded_route import Guard, GuardedRoute
from shared.openapi import Problem

SMALL_BYTES_MAX = 1_000
CANARY = "canary-ada-lovelace"
FAMILIES: dict[str, tuple[errors.MicrocredError, int, str]] = {
    "invalid": (
        errors.Invalid("rubric-broken", "The rubric is broken.", ("One.", "Two.")),
        422,
        "rubric-broken",
    ),
    "malformed": (errors.Malformed("body-broken", "It breaks a rule.", ("One.",)), 400, "body-broken"),
    "unacceptable": (errors.Unacceptable("form-missing", "Ask for JSON."), 406, "form-missing"),
    "conflict": (errors.Conflict("taken", "It is taken."), 409, "taken"),
    "not-found": (errors.NotFound("unknown", "There is no such thing."), 404, "unknown"),
    "gone": (errors.Gone("forgotten", "It was forgotten."), 410, "forgotten"),
    "unauthenticated": (errors.Unauthenticated("key-refused", "No."), 401, "key-refused"),
    "forbidden": (errors.Forbidden("scope-missing", "No."), 403, "scope-missing"),
    "oversized": (errors.Oversized("too-long", "Too long."), 413, "too-long"),
    "unread-media": (errors.UnreadMedia("media-type-unread", "Send JSON."), 415, "media-type-unread"),
    "too-many": (errors.TooMany("Slow down.", 12.3), 429, "too-many-requests"),
    "not-yet": (errors.NotYet("On its way.", 2.0), 503, "unavailable"),
    "unavailable": (errors.Unavailable("Away.", 0.2), 503, "unavailable"),
    "stale": (errors.StaleStream(CANARY), 503, "unavailable"),
}


class Colour(StrEnum):
    RED = "red"


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern="^[a-z]+$", max_length=5)


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid")

    identity: uuid.UUID
    number: int
    share: float
    truth: bool
    moment: datetime
    day: date
    length: timedelta
    colour: Colour
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    parts: list[Part]


def api(guard: Guard) -> APIRouter:
    """Routes that do each thing that a service may do."""
    router = APIRouter(route_class=GuardedRoute)

    @router.get("/raise/{family}")
    async def raise_family(family: str) -> None:
        raise FAMILIES[family][0]

    @router.get("/bug")
    async def bug() -> None:
        raise ValueError(CANARY)

    @router.post("/whole")
    async def whole(body: Whole) -> dict[str, str]:
        return {"read": "whole"}

    @router.post("/any")
    async def any_body(body: dict[str, Any]) -> dict[str, int]:
        return {"members": len(body)}

    @router.post("/stream")
    async def stream(request: Request) -> dict[str, int]:
        return {"bytes": sum([len(chunk) async for chunk in request.stream()])}

    @router.get("/correlation")
    async def correlation() -> dict[str, str | None]:
        return {"correlation": telemetry.correlation.get()}

    @router.get("/guarded")
    async def guarded(caller: Annotated[Caller, guard(Scope.CREDENTIALS_READ)]) -> dict[str, str]:
        return {"tenant": caller.issuer_id}

    reads = guard(Scope.CREDENTIALS_READ)

    @router.get("/guarded-first", dependencies=[reads])
    async def guarded_first(caller: Annotated[Caller, reads]) -> dict[str, str]:
        return {"tenant": caller.issuer_id}

    @router.post("/guarded-body")
    async def guarded_body(caller: Annotated[Caller, reads], body: Whole) -> None:
        raise AssertionError("nobody sends a whole body")

    @router.get("/away/{thing_id}")
    async def away(thing_id: str) -> None:
        raise errors.Unavailable("Away.")

    @router.get("/things/{thing_id}")
    async def thing(thing_id: str) -> dict[str, str]:
        return {"thing": thing_id}

    return router


def problem_of(answer: httpx2.Response) -> dict[str, Any]:
    """Return the problem document of an answer, after checking its form (RFC 9457)."""
    assert answer.headers["content-type"] == "application/problem+json"
    fields = answer.json()
    assert fields["status"] == answer.status_code
    assert fields["type"] == f"urn:microcred:problem:{fields['code']}"
    assert isinstance(fields, dict)
    Problem.model_validate(fields)
    return fields
