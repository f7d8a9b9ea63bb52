"""The verifying half of VCALM 1.0 (W3C Working Draft, formerly VC-API): the same verdicts, told its way.

`verified` is true for what is *valid* alone; *unknown* is not verified. As VCALM asks, the answer is 200
whatever the verdict, and 400 only for a request that is none; what is wrong stands in `problemDetails`.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field

from services.verifier.answers import PROBLEM_TYPES
from services.verifier.api.texts import EXAMPLE, EXPECTED_CHARS_MAX, TOO_OFTEN
from services.verifier.domain.facts import Objection, Outcome
from services.verifier.domain.presentation_rules import PresentationVerdict
from services.verifier.domain.verdict import RECOGNISED, Result, Verdict
from services.verifier.examination.examine import Expected
from services.verifier.examination.reading import parse
from services.verifier.handlers import Verify
from shared import clock
from shared.attended import unless_gone
from shared.http import client_of
from shared.limits import RateLimit
from shared.proofs.strictjson import DOCUMENT_BYTES_MAX, JsonObject, JsonValue

_PRESENTED = {
    "@context": ["https://www.w3.org/ns/credentials/v2"],
    "type": ["VerifiablePresentation"],
    "verifiableCredential": [EXAMPLE],
}
"""Without a proof: an example shows where things stand, and answers `"verified": false`."""
BODY_BYTES_MAX = {"/credentials/verify": DOCUMENT_BYTES_MAX, "/presentations/verify": DOCUMENT_BYTES_MAX}


class ProblemDetail(BaseModel):
    """One thing that speaks against it, or that could not be told."""

    type: str = Field(description="The standards' problem type, or ours as a URN.")
    title: str = Field(description="The last part of the type.")
    detail: str = Field(description="For people.")


class Verified(BaseModel):
    """What VCALM answers about a credential or a presentation; with `return…` options, that itself."""

    model_config = ConfigDict(extra="allow")

    verified: bool
    problemDetails: list[ProblemDetail] = Field(default=[], description="Empty where it is verified.")


def vcalm_routes(verify: Verify, limit: RateLimit) -> APIRouter:
    """Routes under `/verifier`, open to anyone."""
    router = APIRouter(tags=["vcalm"])
    responses: dict[int | str, dict[str, Any]] = {
        400: {"description": "The body is not a VCALM request."},
        429: {"description": TOO_OFTEN},
    }

    @router.post(
        "/credentials/verify",
        response_model=Verified,
        responses=responses,
        summary="Verify a credential as VCALM asks",
        openapi_extra={"requestBody": _body("verifiableCredential", EXAMPLE)},
    )
    async def verify_credential(request: Request) -> dict[str, Any]:
        """VCALM 1.0 §3.3.1: `{"verifiableCredential": …, "options": {…}}`, where the option
        `returnCredential` is understood."""
        limit.spend(caller := client_of(request))
        credential, options = _request(await request.body(), "verifiableCredential")
        verifying = verify.credential(credential, clock.now(), caller)
        answer = vcalm_answer(await unless_gone(request, verifying))
        if options.get("returnCredential") is True:
            answer["credential"] = credential
        return answer

    @router.post(
        "/presentations/verify",
        response_model=Verified,
        responses=responses,
        summary="Verify a presentation as VCALM asks",
        openapi_extra={"requestBody": _body("verifiablePresentation", _PRESENTED)},
    )
    async def verify_presentation(request: Request) -> dict[str, Any]:
        """VCALM 1.0 §3.3.2: `{"verifiablePresentation": …, "options": {"domain": …, "challenge": …}}`; of
        further options `returnPresentation` is understood."""
        limit.spend(caller := client_of(request))
        presentation, options = _request(await request.body(), "verifiablePresentation")
        expected = Expected(_expected(options, "domain"), _expected(options, "challenge"))
        verifying = verify.presentation(presentation, clock.now(), caller, expected)
        verdict = await unless_gone(request, verifying)
        answer = vcalm_answer(verdict)
        answer["results"] = {"credentials": [vcalm_answer(each) for each in verdict.credentials]}
        if options.get("returnPresentation") is True:
            answer["verifiablePresentation"] = presentation
        return answer

    return router


def vcalm_answer(verdict: Verdict | PresentationVerdict) -> dict[str, Any]:
    """A verdict in VCALM's terms; whether the issuer is recognised is no problem of the credential."""
    return {
        "verified": verdict.result is Result.VALID,
        "problemDetails": [
            _problem(check.code or "", check.sentence)
            for check in verdict.checks
            if check.outcome in (Outcome.FAILED, Outcome.UNKNOWN) and check.name != RECOGNISED
        ],
    }


def _problem(code: str, sentence: str) -> dict[str, str]:
    ours = f"urn:microcred:problem:{code.lower().replace('_', '-')}"
    return {"type": PROBLEM_TYPES.get(code, ours), "title": code, "detail": sentence}


def _request(data: bytes, member: str) -> tuple[JsonValue, JsonObject]:
    """What is to be verified, and the options. Raises HTTPException(400) for what is no VCALM request."""
    body = parse(data)
    if isinstance(body, Objection):
        raise HTTPException(400, body.sentence)
    options = body.get("options", {}) if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(options, dict):
        raise HTTPException(400, "The body has to be an object, with options that are one.")
    value = body.get(member)
    if not isinstance(value, dict | str):
        raise HTTPException(400, f"The body lacks {member}.")
    return value, options


def _expected(options: JsonObject, name: str) -> str | None:
    value = options.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > EXPECTED_CHARS_MAX:
        raise HTTPException(400, f"The option {name} is not a short text.")
    return value


def _body(member: str, example: dict[str, Any]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": [member],
        "properties": {member: {"type": ["object", "string"]}, "options": {"type": "object"}},
    }
    media = {"schema": schema, "example": {member: example, "options": {}}}
    return {"required": True, "content": {"application/json": media}}
