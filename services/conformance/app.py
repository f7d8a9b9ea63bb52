"""The routes that the public suites call: one half signs anything, the other refuses with 400.

POST /{cryptosuite}/credentials/issue   201 {verifiableCredential}, for each cryptosuite
POST /vc+jwt/credentials/issue          the same as an EnvelopedVerifiableCredential
POST /status/credentials/issue          with entries in two status lists
POST /credentials/status                sets or clears one of them
GET  /status/{purpose}                  the list
POST /credentials/verify                200, or 400 for whatever is not valid
POST /presentations/verify
GET  /did/{did}                         resolves did:key
GET  /                                  the identifiers of the throw-away issuers
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp

from services.conformance.did_resolver import KEY_FORMAT, resolution
from services.conformance.issuing import Issuing
from services.conformance.keys import throw_away_keys
from services.conformance.shape import CONTEXTS
from services.conformance.sources import OwnLists
from services.conformance.status import StatusLists
from services.verifier.api.vcalm import vcalm_answer
from services.verifier.domain.facts import Facts, Objection
from services.verifier.domain.presentation_rules import PresentationFacts, judge_either
from services.verifier.examination.examine import Examiner, Expected
from services.verifier.examination.reading import parse
from shared import clock
from shared.errors import Invalid, NotFound, Rejected
from shared.http import BODY_BYTES_MAX, Envelope, install_errors, problem, problem_fields
from shared.proofs.public_keys import KeyKind
from shared.proofs.rdfc import Canonicaliser
from shared.proofs.strictjson import JsonObject, JsonValue
from shared.proofs.suites import SUITES, Suite
from shared.proofs.suites.ecdsa_rdfc_2019 import EcdsaRdfc2019
from shared.proofs.suites.eddsa_jcs_2022 import EddsaJcs2022
from shared.proofs.suites.eddsa_rdfc_2022 import EddsaRdfc2022
from shared.proofs.workers import CanonicalWorkers

STATUS_SUITE = EddsaRdfc2022.cryptosuite


def conformance_suites() -> dict[str, Suite]:
    """The cryptosuites, with the suites' examples among the contexts."""
    canonicaliser = Canonicaliser(CONTEXTS)
    made: tuple[Suite, ...] = (
        EddsaRdfc2022(canonicaliser),
        EddsaJcs2022(),
        EcdsaRdfc2019(canonicaliser),
    )
    return {suite.cryptosuite: suite for suite in made}


def conformance_app(workers: CanonicalWorkers, address: str) -> ASGIApp:
    """The application at `address`; `workers` canonicalise with `conformance_suites`."""
    app = FastAPI(title="microcred conformance profile", openapi_url=None)
    install_errors(app)
    keys = throw_away_keys()
    issuing = Issuing(workers, keys)
    lists = StatusLists(keys[KeyKind.ED25519].did, lambda purpose: f"{address}/status/{purpose}")

    @app.exception_handler(Rejected)
    async def _refused(_: Request, refusal: Rejected) -> JSONResponse:
        status = 404 if isinstance(refusal, NotFound) else 400
        return problem(problem_fields(refusal) | {"status": status})

    @app.get("/")
    async def issuers() -> dict[str, str]:
        return {name: keys[suite.key_kind].did for name, suite in SUITES.items()}

    @app.get("/did/{did:path}")
    async def resolve(
        did: str, key_format: Annotated[str, Query(alias="publicKeyFormat")] = KEY_FORMAT
    ) -> JSONResponse:
        status, answer = resolution(did, key_format)
        return JSONResponse(answer, status_code=status)

    _issue_routes(app, issuing, lists)
    _verify_routes(app, Examiner(workers, CONTEXTS), OwnLists(issuing, lists, address))
    return Envelope(app, lambda _: BODY_BYTES_MAX)


def _issue_routes(app: FastAPI, issuing: Issuing, lists: StatusLists) -> None:
    @app.post("/vc+jwt/credentials/issue", status_code=201)
    async def issue_token(request: Request) -> dict[str, Any]:
        body = await _object(request)
        return {"verifiableCredential": await issuing.enveloped(body.get("credential"), KeyKind.ED25519)}

    @app.post("/status/credentials/issue", status_code=201)
    async def issue_with_status(request: Request) -> dict[str, Any]:
        credential = (await _object(request)).get("credential")
        if not isinstance(credential, dict):
            raise _malformed()
        await issuing.secured(credential, STATUS_SUITE)  # Nothing is allocated for what is refused.
        return {"verifiableCredential": await issuing.secured(lists.with_entries(credential), STATUS_SUITE)}

    @app.post("/{cryptosuite}/credentials/issue", status_code=201)
    async def issue(cryptosuite: str, request: Request) -> dict[str, Any]:
        if cryptosuite not in SUITES:
            raise NotFound("cryptosuite-unknown", "There is no such cryptosuite here.")
        body = await _object(request)
        return {"verifiableCredential": await issuing.secured(body.get("credential"), cryptosuite)}

    @app.post("/credentials/status")
    async def update_status(request: Request) -> dict[str, Any]:
        body = await _object(request)
        entry, identifier, value = (body.get(name) for name in ("credentialStatus", "credentialId", "status"))
        purpose = entry.get("statusPurpose") if isinstance(entry, dict) else None
        if not isinstance(identifier, str) or not isinstance(purpose, str) or not isinstance(value, bool):
            raise _malformed()
        lists.update(identifier, purpose, value)
        return {}

    @app.get("/status/{purpose}")
    async def status_list(purpose: str) -> JSONResponse:
        return JSONResponse(await issuing.secured(lists.document(purpose), STATUS_SUITE))


def _verify_routes(app: FastAPI, examiner: Examiner, sources: OwnLists) -> None:
    @app.post("/credentials/verify")
    async def verify_credential(request: Request) -> JSONResponse:
        body = await _object(request)
        facts = await examiner.credential(_needed(body, "verifiableCredential"), sources)
        if _options(body).get("checks") == ["proof"]:
            facts = Facts(facts.document)
        return _answer(facts)

    @app.post("/presentations/verify")
    async def verify_presentation(request: Request) -> JSONResponse:
        body = await _object(request)
        options = _options(body)
        domain, challenge = options.get("domain"), options.get("challenge")
        expected = Expected(
            domain if isinstance(domain, str) else None, challenge if isinstance(challenge, str) else None
        )
        value = _needed(body, "verifiablePresentation")
        return _answer(await examiner.presentation(value, sources, expected))


def _answer(facts: Facts | PresentationFacts) -> JSONResponse:
    """VCALM's answer, with the status that the suites read instead of it."""
    answer = vcalm_answer(judge_either(facts, clock.now()))
    return JSONResponse(answer, status_code=200 if answer["verified"] else 400)


async def _object(request: Request) -> JsonObject:
    body = parse(await request.body())
    if isinstance(body, Objection) or not isinstance(body, dict):
        raise _malformed()
    return body


def _options(body: JsonObject) -> JsonObject:
    options = body.get("options")
    return options if isinstance(options, dict) else {}


def _needed(body: JsonObject, member: str) -> JsonValue:
    value = body.get(member)
    if not isinstance(value, dict | str):
        raise _malformed()
    return value


def _malformed() -> Invalid:
    return Invalid("request-malformed", "The body is not a VCALM request.")
