"""The issuing half of VCALM 1.0 (W3C Working Draft, formerly VC-API): issue, update status, delete.

For software that writes its credentials itself and has them signed. As VCALM asks, a request that breaks a
rule is answered with 400, and so is a member or an option that is not understood here. What is signed comes
through the same strict parser as what is verified (shared/guarded_route.py).
"""

# Without postponed annotations: FastAPI reads them, and the guard in them is a local.
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final, Literal, TypeVar, get_args

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from services.issuer.api import CREDENTIALS, meta_of
from services.issuer.api.examples import POSTED, STATUS_UPDATE
from services.issuer.handlers.posted import IssuePosted
from services.issuer.handlers.posted_life import ForgetPosted, UpdateStatus
from services.issuer.posted_rules import NAME_CHARS_MAX
from shared.access import Caller, Scope
from shared.contracts.credentials import RevocationReason
from shared.errors import Invalid, Malformed
from shared.guarded_route import JSON, Guard, GuardedRoute
from shared.proofs.strictjson import DOCUMENT_BYTES_MAX, JsonObject, JsonValue
from shared.refusals import reasons_of

BODY_BYTES_MAX = {"/credentials/issue": DOCUMENT_BYTES_MAX, "/credentials/status": DOCUMENT_BYTES_MAX}
REASON: Final = "issued-in-error"
"""Recorded for a revocation whose caller, as VCALM has it, gives no reason."""

Body = TypeVar("Body", bound=BaseModel)
Name = Annotated[str, Field(min_length=1, max_length=NAME_CHARS_MAX)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class IssueOptions(_Body):
    """How it is issued. Selective disclosure (`mandatoryPointers`) is not offered."""

    credentialId: Name | None = None


class IssueRequest(_Body):
    """What is to be issued."""

    credential: dict[str, Any]
    options: IssueOptions = IssueOptions()


class NamedEntry(_Body):
    """The status entry that is meant: by its purpose, or whole."""

    type: Literal["BitstringStatusListEntry", "BitstringStatusList"]
    statusPurpose: Literal["revocation"]
    id: str | None = None
    statusListIndex: str | None = None
    statusListCredential: str | None = None

    def told(self) -> dict[str, str]:
        """What it says of the place; the type aside, which VCALM's own example gives as the list's."""
        return self.model_dump(exclude={"type"}, exclude_none=True)


class StatusRequest(_Body):
    """A credential, and the status that it shall have: revoked."""

    credentialId: Name
    credentialStatus: NamedEntry
    status: bool
    reason: RevocationReason = REASON

    @field_validator("status")
    @classmethod
    def _is_for_good(cls, value: bool) -> bool:
        if not value:
            raise ValueError("a revocation is for good and cannot be taken back")
        return value


class Issued(BaseModel):
    """The signed credential."""

    verifiableCredential: dict[str, Any] = Field(
        description="What was posted, with a status entry and proofs; issuer and validFrom if it had none."
    )


class StatusUpdated(BaseModel):
    """How it stands."""

    credentialId: str
    credentialStatus: dict[str, Any] = Field(description="The credential's status entry.")
    status: Literal[True]


class VcalmRoute(GuardedRoute):
    """A guarded route whose refusals have the one code that VCALM knows for them."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        serve = super().get_route_handler()

        async def serve_as_vcalm(request: Request) -> Response:
            try:
                return await serve(request)
            except Invalid as refusal:
                raise Malformed(refusal.code, refusal.message, refusal.reasons) from refusal

        return serve_as_vcalm


def vcalm_routes(
    guard: Guard, issue: IssuePosted, update_status: UpdateStatus, forget: ForgetPosted
) -> APIRouter:
    """Routes under `/issuer`, for callers with an API key."""
    router = APIRouter(tags=[CREDENTIALS], route_class=VcalmRoute)
    _issuing_route(router, guard, issue)
    _ending_routes(router, guard, update_status, forget)
    return router


def _issuing_route(router: APIRouter, guard: Guard, issue: IssuePosted) -> None:
    @router.post(
        "/credentials/issue",
        status_code=201,
        response_model=Issued,
        summary="Issue a credential of your own, as VCALM asks",
        openapi_extra={"requestBody": _body(_ISSUE, POSTED)},
        responses={
            **_REFUSED,
            409: {"description": "A credential of this name and with other content was issued before."},
            410: {"description": "It was forgotten, or withdrawn before it was signed."},
        },
    )
    async def issue_credential(
        caller: Annotated[Caller, guard(Scope.CREDENTIALS_ISSUE)], request: Request
    ) -> Response:
        """Sign a credential of the data model 2.0 as it stands, with a place in a status list. Its `id`, or
        the option `credentialId`, makes the call repeatable. 503 where the signature takes longer than a
        request may: the same again asks for it."""
        body = _parsed(IssueRequest, await request.json())
        data = await issue(caller.issuer_id, body.credential, body.options.credentialId, meta_of(caller))
        return Response(b'{"verifiableCredential":' + data + b"}", status_code=201, media_type=JSON)


def _ending_routes(
    router: APIRouter, guard: Guard, update_status: UpdateStatus, forget: ForgetPosted
) -> None:
    @router.post(
        "/credentials/status",
        summary="Revoke a credential, as VCALM asks",
        openapi_extra={"requestBody": _body(_STATUS, STATUS_UPDATE)},
        responses={**_REFUSED, 404: {"description": "There is no such credential for this caller."}},
    )
    async def update_credential_status(
        caller: Annotated[Caller, guard(Scope.CREDENTIALS_REVOKE)], request: Request
    ) -> StatusUpdated:
        """Revoke a credential for good, posted or from an assessment. `credentialId` is its `id`, the option
        it was issued with, or the `id` of its status entry. A second call has the same answer. `reason` is
        ours: VCALM has none."""
        body = _parsed(StatusRequest, await request.json())
        entry = await update_status(
            caller.issuer_id, body.credentialId, body.credentialStatus.told(), body.reason, meta_of(caller)
        )
        return StatusUpdated(credentialId=body.credentialId, credentialStatus=entry, status=True)

    @router.delete(
        "/credentials/{credential_id:path}",
        status_code=202,
        summary="Forget a credential that was posted, as VCALM asks",
    )
    async def forget_credential(
        caller: Annotated[Caller, guard(Scope.LEARNERS_ERASE)], credential_id: str
    ) -> Response:
        """Delete the key under which a posted credential is kept. What was handed out keeps verifying, and
        can still be revoked. `credential_id` is its `id`, percent-encoded, or what stands for it."""
        await forget(caller.issuer_id, credential_id, meta_of(caller))
        return Response(status_code=202)


def _parsed(model: type[Body], value: JsonValue) -> Body:
    """The body as `model` says it must be. Raises Invalid."""
    try:
        return model.model_validate(value)
    except ValidationError as refusal:
        reasons = reasons_of(refusal.errors())
        raise Invalid("request-invalid", "The request is malformed.", reasons) from None


def _body(schema: JsonObject, example: JsonObject) -> dict[str, Any]:
    return {"required": True, "content": {JSON: {"schema": schema, "example": example}}}


_REFUSED: dict[int | str, dict[str, Any]] = {
    400: {"description": "The body is malformed, breaks a rule or says what is not understood here."}
}
_NAME: JsonObject = {"type": "string", "minLength": 1, "maxLength": NAME_CHARS_MAX}
_ISSUE: JsonObject = {
    "type": "object",
    "required": ["credential"],
    "additionalProperties": False,
    "properties": {
        "credential": {
            "type": "object",
            "description": "A credential of the W3C data model 2.0 without proof and credentialStatus.",
        },
        "options": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "credentialId": {
                    **_NAME,
                    "description": "What to call a credential that has no id of its own.",
                }
            },
        },
    },
}
_STATUS: JsonObject = {
    "type": "object",
    "required": ["credentialId", "credentialStatus", "status"],
    "additionalProperties": False,
    "properties": {
        "credentialId": {**_NAME, "description": "Its id, or what stands for it."},
        "credentialStatus": {
            "type": "object",
            "required": ["type", "statusPurpose"],
            "additionalProperties": False,
            "properties": {
                "type": {"enum": ["BitstringStatusListEntry", "BitstringStatusList"]},
                "statusPurpose": {"enum": ["revocation"]},
                "id": {"type": "string"},
                "statusListIndex": {"type": "string"},
                "statusListCredential": {"type": "string"},
            },
        },
        "status": {"enum": [True], "description": "A revocation is for good: never false."},
        "reason": {
            "enum": list(get_args(RevocationReason)),
            "default": REASON,
            "description": "Recorded for audits; the status list does not tell it.",
        },
    },
}
