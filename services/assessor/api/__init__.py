"""The assessor's addresses: hand in assessments, ask for one, find a learner, forget a learner.

Every address demands an API key, and shows or changes the key's own tenant alone: what belongs to another
answers as if it did not exist.
"""

# Without postponed annotations, alone in this package: FastAPI reads them, and the guard in them is a local.
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Request, Response, status

from services.assessor.api import examples
from services.assessor.api.bodies import BulkResult, LearnerFound, Outcome, RecordedAssessment
from services.assessor.api.bulk import BODY_BYTES_MAX, Bulk, Intake
from services.assessor.api.duplex import DuplexResponse
from services.assessor.api.origin import origin_of
from services.assessor.api.rows import CsvRows, NdjsonRows, RowReader
from services.assessor.api.submission import SubmissionBody
from services.assessor.handlers.enquire import Enquire
from services.assessor.handlers.erase import Erase
from services.assessor.handlers.submission import Answer, Submission
from shared.access import Caller, Scope
from shared.batching import Batcher
from shared.contracts.event import AssessmentId, Uuid
from shared.errors import Invalid, UnreadMedia
from shared.guarded_route import Guard, GuardedRoute

ASSESSMENTS, LEARNERS = "assessments", "learners"
"""Sections of the API page."""
BULK_PATH = "/assessments/bulk"
BULK_BODY_BYTES_MAX = {BULK_PATH: BODY_BYTES_MAX}
NDJSON = "application/x-ndjson"
CSV = "text/csv"
READERS: dict[str, type[NdjsonRows] | type[CsvRows]] = {
    NDJSON: NdjsonRows,
    "application/ndjson": NdjsonRows,
    "application/jsonl": NdjsonRows,
    CSV: CsvRows,
}
BULK_DOCS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            NDJSON: {"schema": {"type": "string"}, "example": examples.NDJSON},
            CSV: {"schema": {"type": "string"}, "example": examples.CSV},
        },
    }
}

Submitted = Annotated[SubmissionBody, Body(openapi_examples=examples.SINGLE)]


def routes(
    guard: Guard, submissions: Batcher[Submission, Answer], intake: Intake, enquire: Enquire, erase: Erase
) -> APIRouter:
    """Return the routes under `/assessor`."""
    router = APIRouter(route_class=GuardedRoute)
    _submission_route(router, guard, submissions)
    _bulk_route(router, guard, intake)
    _enquiry_routes(router, guard, enquire)
    _learner_routes(router, guard, enquire, erase)
    return router


def _submission_route(router: APIRouter, guard: Guard, submissions: Batcher[Submission, Answer]) -> None:
    @router.post(
        "/assessments",
        status_code=status.HTTP_201_CREATED,
        tags=[ASSESSMENTS],
        summary="Hand in an assessment",
        responses={
            200: {"model": Outcome, "description": "Recorded before with the same content."},
            409: {"description": "Recorded with other content, or the learner's attempts are used up."},
            410: {"description": "The learner of this assessment was erased."},
        },
    )
    async def submit(
        body: Submitted,
        caller: Annotated[Caller, guard(Scope.ASSESSMENTS_WRITE)],
        request: Request,
        response: Response,
    ) -> Outcome:
        """Hand in one assessment. 201 the first time; 200 and the same answer when it is sent again.

        409 where the id is recorded with other content or the learner's attempts are used up, 410 where its
        learner was erased, 422 where it does not fit the rubric, 503 where the achievement was published a
        moment ago and is not known yet.
        """
        meta = origin_of(caller)
        answer = await submissions.ask(caller.issuer_id, Submission(body.command(caller.issuer_id), meta))
        if answer.repeated:
            response.status_code = status.HTTP_200_OK
        return Outcome.of(answer)


def _bulk_route(router: APIRouter, guard: Guard, intake: Intake) -> None:
    @router.post(
        BULK_PATH,
        status_code=status.HTTP_200_OK,
        tags=[ASSESSMENTS],
        summary="Hand in many assessments",
        openapi_extra=BULK_DOCS,
        response_class=DuplexResponse,
        responses={
            200: {"model": BulkResult, "content": {NDJSON: {}}, "description": "A result a row."},
            415: {"description": "The body is neither NDJSON nor CSV."},
            422: {"description": "The body holds no row at all."},
        },
    )
    async def submit_bulk(
        caller: Annotated[Caller, guard(Scope.ASSESSMENTS_WRITE)], request: Request
    ) -> Response:
        """Hand in many assessments: NDJSON or CSV, by content type; NDJSON comes back, a result a row.

        Rows are taken while they arrive and answered in their order. A row that cannot be taken is reported
        under its line and skipped. Sending the same file again is safe: what was recorded is `duplicate`. A
        row costs a fiftieth of a request of the key's rate limit; past the limit rows wait, none is refused.
        At most 100,000 rows of 64 KiB, 64 MiB in all, two bulk submissions a tenant at once. A CSV row
        stands on one line; columns: `assessment_id, achievement_id, learner_name, learner_email, assessor,
        supervision, identity_check, assessed_at`, one `result:<criterion>` for each criterion and, where
        wanted, `achievement_version, learner_reference, evidence_url, narrative`.
        """
        bulk = Bulk(caller.issuer_id, caller.prefix, origin_of(caller), _reader(request))
        results = intake.take(bulk, request.stream())
        first = await anext(results, None)
        if first is None:
            raise Invalid("body-empty", "The body holds no row: there is nothing to hand in.")
        return DuplexResponse(first, results, NDJSON)


def _enquiry_routes(router: APIRouter, guard: Guard, enquire: Enquire) -> None:
    @router.get(
        "/assessments/{assessment_id}",
        tags=[ASSESSMENTS],
        summary="Show an assessment",
        responses={410: {"description": "The learner of this assessment was erased."}},
    )
    async def assessment(
        assessment_id: Annotated[AssessmentId, Path()],
        caller: Annotated[Caller, guard(Scope.ASSESSMENTS_READ)],
    ) -> RecordedAssessment:
        """Show an assessment as it was handed in. 404 for an unknown one, 410 once its learner was erased."""
        return RecordedAssessment.recalled(await enquire.assessment(caller.issuer_id, assessment_id))


def _learner_routes(router: APIRouter, guard: Guard, enquire: Enquire, erase: Erase) -> None:
    @router.get(
        "/learners",
        tags=[LEARNERS],
        summary="Find a learner",
        responses={404: {"description": "Nobody is known by it."}},
    )
    async def find_learner(
        caller: Annotated[Caller, guard(Scope.ASSESSMENTS_READ)],
        reference: Annotated[
            str | None, Query(max_length=200, description="Your own id of the learner.")
        ] = None,
        email: Annotated[
            str | None, Query(max_length=254, description="For a learner submitted without a reference.")
        ] = None,
    ) -> LearnerFound:
        """Tell a learner's id. 404 where nobody is known by it, which is also so after erasure."""
        if reference is not None and email is None:
            return LearnerFound(
                learner_id=await enquire.learner_by_reference(caller.issuer_id, reference.strip())
            )
        if email is not None and reference is None:
            return LearnerFound(learner_id=await enquire.learner_by_email(caller.issuer_id, email))
        raise Invalid("query-invalid", "Give either reference or email.")

    @router.delete(
        "/learners/{learner_id}",
        status_code=status.HTTP_204_NO_CONTENT,
        tags=[LEARNERS],
        summary="Forget a learner for ever",
    )
    async def erase_learner(
        learner_id: Annotated[Uuid, Path()],
        caller: Annotated[Caller, guard(Scope.LEARNERS_ERASE)],
        request: Request,
    ) -> None:
        """Forget a learner for ever: the key goes, and with it all that is personal, everywhere.

        204 also when it was done before; 404 for an id that never was a learner of yours. What the learner
        holds stays valid. Handed in again, the same person is a new learner.
        """
        await erase.erase(caller.issuer_id, learner_id, origin_of(caller))


def _reader(request: Request) -> RowReader:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in READERS:
        raise UnreadMedia(
            "media-type-unread",
            f"Send the rows with the header 'Content-Type: {CSV}', or '{NDJSON}' for a JSON object a line.",
        )
    return READERS[media_type]()


def public_routes() -> APIRouter:
    """Return the assessor's addresses in signed documents: it has none."""
    return APIRouter()
