"""The issuer's HTTP: commands of callers under /issuer, and documents at the addresses that signed ones name.

Whose a thing is comes from the API key alone; another tenant's id answers 404. The documents at the public
addresses need no key: an achievement and an issuer are public, and a credential's address is a secret of
whoever was given it.
"""

# Without postponed annotations: FastAPI reads them, and the guard in them is a local.
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Header, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from services.issuer import store
from services.issuer.api.examples import ACHIEVEMENT_EXAMPLES, REVOCATION_EXAMPLES
from services.issuer.documents.addresses import Addresses
from services.issuer.handlers.achievements import Achievements, AchievementView
from services.issuer.handlers.pages import Pages
from services.issuer.handlers.revoke import Revoke
from services.issuer.store import CredentialRow
from shared import telemetry, trace_context
from shared.access import Caller, Scope
from shared.clock import ordered_uuid
from shared.contracts.achievements import AchievementDefinition
from shared.contracts.credentials import RevocationReason, TokenForm
from shared.contracts.event import AssessmentId, Slug
from shared.database import Database
from shared.errors import NotFound, Unacceptable
from shared.eventstore import Meta
from shared.guarded_route import Guard, GuardedRoute
from shared.media_types import accepted, preferred
from shared.public_route import PublicRoute

CREDENTIAL_TYPES = (
    "application/vc+ld+json",  # Open Badges 3.0 section 7 (web resource)
    "application/vc",  # Verifiable Credentials Data Model 2.0 section 6.2
    "application/ld+json",
    "application/json",
)
TOKEN_TYPES: Mapping[str, TokenForm] = {
    "application/vc+jwt": "vc+jwt",
    "application/jwt": "ob-jwt",
    "text/plain": "ob-jwt",  # Open Badges 3.0 section 7 (web resource), for a compact JWS
}
DOCUMENT_TYPES = ("application/ld+json", "application/json")
DID_TYPES = ("application/did+json", "application/did+ld+json", "application/json", "application/ld+json")
ACHIEVEMENTS, CREDENTIALS = "achievements", "credentials"
"""Sections of the API page."""
VERSION_MAX = 2**31 - 1
PUBLIC_MAX_AGE_S = 300
IMMUTABLE_MAX_AGE_S = 86_400


class PublishAchievement(AchievementDefinition):
    """An achievement to be published; with `achievement_id` the call may be repeated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    achievement_id: UUID | None = Field(
        default=None,
        description="A UUIDv7 of your own. The same id and content again has the same answer; the same id"
        " with other content is a conflict. Without it every call publishes a new achievement.",
    )

    @field_validator("achievement_id")
    @classmethod
    def _is_version_7(cls, value: UUID | None) -> UUID | None:
        if value is not None and value.version != 7:
            raise ValueError("must be a UUID of version 7")
        return value

    def definition(self) -> AchievementDefinition:
        """The content without the id."""
        return AchievementDefinition.model_validate(self.model_dump(exclude={"achievement_id"}))


class PublishVersion(AchievementDefinition):
    """The next version of an achievement: the whole content, not a difference."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def definition(self) -> AchievementDefinition:
        """The content."""
        return AchievementDefinition.model_validate(self.model_dump())


class AchievementAnswer(BaseModel):
    """A published version."""

    achievement_id: str
    version: int = Field(description="Counts from 1; a version never changes.")
    url: str = Field(description="The public address that credentials name.")
    published_at: datetime
    definition: AchievementDefinition


class AchievementVersions(BaseModel):
    """All versions of an achievement, newest first."""

    versions: list[AchievementAnswer]


class RevokeCredential(BaseModel):
    """Why a credential is withdrawn, for good."""

    model_config = ConfigDict(extra="forbid")

    reason: RevocationReason = Field(description="Recorded for audits; the status list does not tell it.")


class CredentialAnswer(BaseModel):
    """What is known about a credential, without its personal content."""

    credential_id: str
    url: str = Field(description="Where the document is; whoever has this address can read it.")
    state: Literal["issued", "signed", "revoked"] = Field(
        description="`issued`: decided, the signature follows within seconds."
    )
    assessment_id: str
    learner_id: str = Field(description="The learner's random id, by which they are erased.")
    achievement_id: str
    achievement_version: int
    issued_at: datetime
    valid_until: datetime | None
    signed_at: datetime | None
    revoked_at: datetime | None
    revocation_reason: str | None
    supersedes: str | None = Field(description="The credential that this one replaced.")
    status_list_url: str
    status_list_index: int


class CredentialList(BaseModel):
    """Credentials that match a search."""

    credentials: list[CredentialAnswer]


def routes(
    database: Database, guard: Guard, addresses: Addresses, achievements: Achievements, revoke: Revoke
) -> APIRouter:
    """What callers with an API key may ask; mounted under /issuer."""
    router = APIRouter(route_class=GuardedRoute)
    _publishing_routes(router, guard, addresses, achievements)
    _achievement_routes(router, guard, addresses, achievements)
    _credential_routes(router, database, guard, addresses, revoke)
    return router


def _publishing_routes(
    router: APIRouter, guard: Guard, addresses: Addresses, achievements: Achievements
) -> None:
    Writer = Annotated[Caller, guard(Scope.ACHIEVEMENTS_WRITE)]

    @router.post(
        "/achievements",
        status_code=201,
        tags=[ACHIEVEMENTS],
        summary="Publish an achievement",
        dependencies=[Depends(_strict(PublishAchievement))],
        responses={
            200: {"model": AchievementAnswer, "description": "It stood there already."},
            409: {"description": "The id is taken by other content, or by another issuer."},
        },
    )
    async def publish_achievement(
        caller: Writer,
        body: Annotated[PublishAchievement, Body(openapi_examples=ACHIEVEMENT_EXAMPLES)],
        response: Response,
    ) -> AchievementAnswer:
        """Publish an achievement. 200 instead of 201 says that it stood there already; 422 lists the reasons
        why no valid Open Badge could be made of it."""
        named = str(body.achievement_id) if body.achievement_id is not None else None
        view = await achievements.publish(caller.issuer_id, named, body.definition(), meta_of(caller))
        response.status_code = 201 if view.created else 200
        return _achievement(view, addresses)

    @router.post(
        "/achievements/{achievement_id}/versions",
        status_code=201,
        tags=[ACHIEVEMENTS],
        summary="Publish the next version",
        dependencies=[Depends(_strict(PublishVersion))],
        responses={200: {"model": AchievementAnswer, "description": "It is the newest version already."}},
    )
    async def publish_achievement_version(
        caller: Writer,
        achievement_id: UUID,
        body: Annotated[PublishVersion, Body(openapi_examples=ACHIEVEMENT_EXAMPLES)],
        response: Response,
    ) -> AchievementAnswer:
        """Publish the next version. Credentials issued before keep the version they were earned under."""
        view = await achievements.publish_version(
            caller.issuer_id, str(achievement_id), body.definition(), meta_of(caller)
        )
        response.status_code = 201 if view.created else 200
        return _achievement(view, addresses)


def _achievement_routes(
    router: APIRouter, guard: Guard, addresses: Addresses, achievements: Achievements
) -> None:
    Writer = Annotated[Caller, guard(Scope.ACHIEVEMENTS_WRITE)]

    @router.get("/achievements/{achievement_id}", tags=[ACHIEVEMENTS], summary="Show the newest version")
    async def get_achievement(caller: Writer, achievement_id: UUID) -> AchievementAnswer:
        """The newest version of an achievement."""
        return _achievement(
            (await achievements.versions(caller.issuer_id, str(achievement_id)))[0], addresses
        )

    @router.get("/achievements/{achievement_id}/versions", tags=[ACHIEVEMENTS], summary="List all versions")
    async def get_achievement_versions(caller: Writer, achievement_id: UUID) -> AchievementVersions:
        """The versions of an achievement, newest first."""
        views = await achievements.versions(caller.issuer_id, str(achievement_id))
        return AchievementVersions(versions=[_achievement(view, addresses) for view in views])


def _credential_routes(
    router: APIRouter, database: Database, guard: Guard, addresses: Addresses, revoke: Revoke
) -> None:
    Reader = Annotated[Caller, guard(Scope.CREDENTIALS_READ)]

    @router.get("/credentials", tags=[CREDENTIALS], summary="Find the credential of an assessment")
    async def find_credentials(
        caller: Reader, assessment_id: Annotated[AssessmentId, Query(description="Your assessment id.")]
    ) -> CredentialList:
        """The credential of an assessment: one, or none while it is not issued."""
        async with database.connection() as connection:
            row = await store.credential_of_assessment(connection, caller.issuer_id, assessment_id)
        return CredentialList(credentials=[_credential(row, addresses)] if row is not None else [])

    @router.get("/credentials/{credential_id}", tags=[CREDENTIALS], summary="Show where a credential stands")
    async def get_credential(caller: Reader, credential_id: UUID) -> CredentialAnswer:
        """Where a credential stands in its life."""
        async with database.connection() as connection:
            row = await store.credential(connection, caller.issuer_id, str(credential_id))
        if row is None:
            raise NotFound("credential-unknown", "There is no such credential.")
        return _credential(row, addresses)

    @router.post("/credentials/{credential_id}/revoke", tags=[CREDENTIALS], summary="Revoke a credential")
    async def revoke_credential(
        caller: Annotated[Caller, guard(Scope.CREDENTIALS_REVOKE)],
        credential_id: UUID,
        body: Annotated[RevokeCredential, Body(openapi_examples=REVOCATION_EXAMPLES)],
    ) -> CredentialAnswer:
        """Withdraw a credential for good. A second call has the same answer and changes nothing."""
        row = await revoke(caller.issuer_id, str(credential_id), body.reason, meta_of(caller))
        return _credential(row, addresses)


def public_routes(pages: Pages) -> APIRouter:
    """The addresses that stand in signed documents; mounted at the root, open to everyone."""
    router = APIRouter(tags=["documents"], route_class=PublicRoute)
    Accept = Annotated[str, Header(include_in_schema=False)]

    @router.get("/issuers/{slug}", summary="An issuer's profile")
    async def issuer_profile(slug: Annotated[Slug, Path()], accept: Accept = "*/*") -> Response:
        """An issuer's profile (Open Badges 3.0)."""
        chosen = preferred(accept, DOCUMENT_TYPES)
        return _document(await pages.profile(slug), chosen, f"public, max-age={PUBLIC_MAX_AGE_S}")

    @router.get("/issuers/{slug}/did.json", summary="An issuer's DID document")
    async def issuer_did_document(slug: Annotated[Slug, Path()], accept: Accept = "*/*") -> Response:
        """An issuer's DID document, with every key that it ever had."""
        chosen = preferred(accept, DID_TYPES)
        return _document(await pages.did(slug), chosen, f"public, max-age={PUBLIC_MAX_AGE_S}")

    @router.get("/achievements/{achievement_id}/{version}", summary="A version of an achievement")
    async def achievement_document(
        achievement_id: UUID,
        version: Annotated[int, Path(ge=1, le=VERSION_MAX)],
        accept: Accept = "*/*",
    ) -> Response:
        """An immutable version of an achievement (Open Badges 3.0)."""
        data = await pages.achievement(str(achievement_id), version)
        chosen = preferred(accept, DOCUMENT_TYPES)
        return _document(data, chosen, f"public, max-age={IMMUTABLE_MAX_AGE_S}")

    @router.get(
        "/credentials/{credential_id}",
        summary="A signed credential",
        responses={
            406: {"description": "It was not made in the form that `Accept` asks for alone."},
            410: {"description": "Its learner was erased, or it was withdrawn before it was signed."},
        },
    )
    async def credential_document(credential_id: UUID, accept: Accept = "*/*") -> Response:
        """A signed credential, as JSON unless `Accept` asks for another form in which it was made:
        `application/vc+jwt` for a token of VC-JOSE-COSE, `application/jwt` or `text/plain` for one of Open
        Badges 3.0. 410 after its learner was erased; 503 for the seconds until it is signed."""
        credential = await pages.credential(str(credential_id))
        chosen, form = _form(accept, credential.token_forms)
        data = credential.document() if form is None else credential.token(form)
        # No shared cache may keep it: erasure must reach whoever asks next.
        return _document(data, chosen, "private, no-cache")

    return router


def _form(accept: str, made: Sequence[TokenForm]) -> tuple[str, TokenForm | None]:
    """The media type of the answer, and the form of the token in it; JSON wherever a token is not preferred.

    Raises Unacceptable where nothing but a token was asked for, and that form was not made.
    """
    offered = (*CREDENTIAL_TYPES, *(media for media, form in TOKEN_TYPES.items() if form in made))
    chosen = preferred(accept, offered)
    if not accepted(accept, chosen) and any(accepted(accept, media) for media in TOKEN_TYPES):
        raise Unacceptable("form-not-made", "This credential was not made in that form; ask for JSON.")
    return chosen, TOKEN_TYPES.get(chosen)


def _document(data: bytes, content_type: str, cache: str) -> Response:
    headers = {"Cache-Control": cache, "Vary": "Accept", "X-Content-Type-Options": "nosniff"}
    return Response(data, headers=headers, media_type=content_type)


def _strict(model: type[BaseModel]) -> Callable[..., Any]:
    """A dependency that refuses members which the contract does not name, however deep: a misspelt one would
    be dropped in silence, and published for ever without what it should have said."""

    async def refuse_unknown_members(request: Request) -> None:
        try:
            model.model_validate_json(await request.body(), extra="forbid")
        except ValidationError as refusal:
            raise RequestValidationError(
                [{**error, "loc": ("body", *error["loc"])} for error in refusal.errors()]
            ) from None

    return refuse_unknown_members


def meta_of(caller: Caller) -> Meta:
    """Who asked, and in the course of what."""
    correlation = telemetry.correlation.get() or str(ordered_uuid())
    return Meta(caller.actor, correlation, traceparent=trace_context.current.get())


def _achievement(view: AchievementView, addresses: Addresses) -> AchievementAnswer:
    return AchievementAnswer(
        achievement_id=view.achievement_id,
        version=view.version,
        url=addresses.achievement(view.achievement_id, view.version),
        published_at=view.published_at,
        definition=view.definition,
    )


def _credential(row: CredentialRow, addresses: Addresses) -> CredentialAnswer:
    return CredentialAnswer(
        credential_id=row.credential_id,
        url=addresses.credential(row.credential_id),
        state="revoked" if row.revoked_at else "signed" if row.signed_at else "issued",
        assessment_id=row.assessment_id,
        learner_id=row.learner_id,
        achievement_id=row.achievement_id,
        achievement_version=row.achievement_version,
        issued_at=row.issued_at,
        valid_until=row.valid_until,
        signed_at=row.signed_at,
        revoked_at=row.revoked_at,
        revocation_reason=row.revocation_reason,
        supersedes=row.supersedes,
        status_list_url=addresses.status_list(row.list_id),
        status_list_index=row.list_index,
    )
