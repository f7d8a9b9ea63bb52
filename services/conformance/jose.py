"""`python -m services.conformance.jose issue|verify`: what the VC-JOSE-COSE suite calls, over the same core.

    --input F     a credential or presentation: JSON to be signed, a token to be verified
    --key F       a verification method with `publicKeyJwk`, and `secretKeyJwk` for `issue`
    --feature X   credential_jose or presentation_jose; others are answered with `indeterminate`
    --output F    gets {"result": "success|failure|indeterminate|error", "data": "…"}

A verification is that of the product: *valid* is `success`, *invalid* `failure`, *unknown* `indeterminate`.
Keys are of Ed25519 and P-256; others are `indeterminate` too. Signs whatever is well-formed, so it does not
start under ENVIRONMENT=production.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Coroutine, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.conformance.app import conformance_suites
from services.conformance.shape import CONTEXTS
from services.verifier.domain.facts import KeyFacts, Objection
from services.verifier.domain.presentation_rules import judge_either
from services.verifier.domain.verdict import Result
from services.verifier.examination import presentation_shape
from services.verifier.examination.examine import Examiner, Expected
from services.verifier.examination.objections import unknown
from services.verifier.examination.sources import FoundList, Method
from shared import clock
from shared.errors import Invalid, MicrocredError
from shared.key_kinds import KeyKind
from shared.keys import InMemorySigner
from shared.program import EXIT_REFUSED
from shared.proofs import base64url, jsonld_safety, jwk, jws, strictjson, vc_jwt, vcdm
from shared.proofs.safe_mode import demand_safe
from shared.proofs.strictjson import JsonObject, JsonValue
from shared.proofs.vc_jwt import Form
from shared.proofs.workers import CanonicalWorkers

_FORMS = {"credential_jose": Form.CREDENTIAL, "presentation_jose": Form.PRESENTATION}
_OTHER_CURVES = ("P-384", "P-521")
Answer = dict[str, str]


class Unsupported(Invalid):
    """What this command does not do, and others may."""


class Outcome(StrEnum):
    """What the suite calls an outcome."""

    SUCCESS = "success"
    FAILURE = "failure"
    INDETERMINATE = "indeterminate"
    ERROR = "error"


_OUTCOMES = {
    Result.VALID: Outcome.SUCCESS,
    Result.INVALID: Outcome.FAILURE,
    Result.UNKNOWN: Outcome.INDETERMINATE,
}
app = typer.Typer(add_completion=False, help="The VC-JOSE-COSE suite's command line.")
Input = Annotated[Path, typer.Option(help="A document to be signed, or a token to be verified.")]
Key = Annotated[Path, typer.Option(help="The verification method.")]
Feature = Annotated[str, typer.Option(help="credential_jose or presentation_jose.")]
Output = Annotated[Path, typer.Option(help="Gets the result.")]


@app.command()
def issue(input: Input, key: Key, feature: Feature, output: Output) -> None:
    """Sign a credential or a presentation."""
    if feature in _FORMS:
        _write(output, _issued(input.read_bytes(), key.read_bytes(), _FORMS[feature]))
    else:
        _write_unsupported(output)


@app.command()
def verify(input: Input, key: Key, feature: Feature, output: Output) -> None:
    """Verify a token with the key that is given."""
    if feature in _FORMS:
        _write(output, _verified(input.read_bytes(), key.read_bytes(), _FORMS[feature]))
    else:
        _write_unsupported(output)


@app.callback()
def _refuse_production() -> None:
    if os.environ.get("ENVIRONMENT") == "production":
        print("The conformance profile signs whatever it is given: not in production.", file=sys.stderr)  # noqa: T201
        raise typer.Exit(EXIT_REFUSED)


class GivenKey:
    """The one verification method at hand; nothing else is looked up."""

    def __init__(self, method: Method) -> None:
        self._method = method

    async def methods(self, did: str, _wanted: str) -> Sequence[Method] | Objection:
        if did != self._method.facts.controller:
            return unknown("key-not-retrieved", "The key that was given is not the signer's.")
        return [self._method]

    async def status_list(self, _url: str) -> FoundList | Objection:
        return unknown("status-list-unreachable", "No status list is looked up here.")

    async def registry(self, _did: str) -> None:
        return None


async def _issued(data: bytes, key: bytes, form: Form) -> Answer:
    document, method = strictjson.loads(data), _object(strictjson.loads(key))
    problems = vcdm.problems if form is Form.CREDENTIAL else presentation_shape.problems
    malformed = problems(document)
    if malformed or not isinstance(document, dict):
        raise Invalid("credential-malformed", "It is not built as it must be.", tuple(malformed))
    if form is Form.PRESENTATION and not presentation_shape.enveloped_alone(document):
        raise Invalid("credential-malformed", "Credentials in a token of a presentation are enveloped.")
    jsonld_safety.check_contexts(document, CONTEXTS)
    async with CanonicalWorkers(1, suites=conformance_suites()) as workers:
        await demand_safe(workers.hash_data, document)
    known = _method(method)
    signed = vc_jwt.to_sign(document, form, known.public_key, known.id)
    (signature,) = _signer(known.public_key.kind, method).sign([signed])
    return _answer(Outcome.SUCCESS, jws.compact(signed, signature))


async def _verified(data: bytes, key: bytes, form: Form) -> Answer:
    sources = GivenKey(_method(_object(strictjson.loads(key))))
    token = data.decode("ascii", "replace").strip()
    async with CanonicalWorkers(1, suites=conformance_suites()) as workers:
        examiner = Examiner(workers, CONTEXTS)
        if form is Form.CREDENTIAL:
            verdict = judge_either(await examiner.credential(token, sources), clock.now())
        else:
            verdict = judge_either(await examiner.presentation(token, sources, Expected()), clock.now())
    return _answer(_OUTCOMES[verdict.result], verdict.sentence)


def _method(method: JsonObject) -> Method:
    """The method of the key file, for whatever its controller signs."""
    identifier, controller = method.get("id"), method.get("controller")
    if not isinstance(identifier, str) or not isinstance(controller, str):
        raise Invalid("key-malformed", "The file is not that of a verification method.")
    key = _object(method.get("publicKeyJwk"))
    if key.get("crv") in _OTHER_CURVES:
        raise Unsupported("key-unsupported", "Keys of this curve are not supported.")
    public_key = jwk.decode(key)
    return Method(identifier, public_key, KeyFacts(controller, authenticates=True))


def _signer(kind: KeyKind, method: JsonObject) -> InMemorySigner:
    """With the secret half of the method, which is nobody's but the suite's."""
    scalar = base64url.decode(str(_object(method.get("secretKeyJwk")).get("d")))
    if kind is KeyKind.ED25519:
        return InMemorySigner(Ed25519PrivateKey.from_private_bytes(scalar))
    return InMemorySigner(ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SECP256R1()))


def _object(value: JsonValue) -> JsonObject:
    if not isinstance(value, dict):
        raise Invalid("key-malformed", "The key file lacks what is needed of it.")
    return value


def _answer(outcome: Outcome, data: str) -> Answer:
    return {"result": outcome.value, "data": data}


def _write(output: Path, work: Coroutine[Any, Any, Answer]) -> None:
    try:
        answer = asyncio.run(work)
    except Unsupported as refusal:
        answer = _answer(Outcome.INDETERMINATE, str(refusal))
    except Invalid as refusal:
        answer = _answer(Outcome.FAILURE, str(refusal))
    except MicrocredError as error:
        answer = _answer(Outcome.ERROR, str(error))
    output.write_text(json.dumps(answer), "utf-8")


def _write_unsupported(output: Path) -> None:
    output.write_text(json.dumps(_answer(Outcome.INDETERMINATE, "This feature is not supported.")), "utf-8")


if __name__ == "__main__":
    app()
