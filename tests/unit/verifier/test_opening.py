"""What may be handed in: JSON, tokens, baked pictures; each opened by what its bytes say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.verifier.answers import verdict_json
from services.verifier.domain.presentation_rules import judge_either
from services.verifier.examination.examine import Examiner
from services.verifier.examination.reading import read
from services.verifier.offline import Given
from shared.baking import png, svg
from shared.proofs import base64url
from shared.proofs.allowance import Allowance
from shared.proofs.vc_jwt import Form, envelope
from shared.proofs.workers import CanonicalWorkers
from tests.unit.baking.pictures import PNG, SVG
from tests.unit.verifier.credentials import AT, ISSUER, OTHER, WEB, as_bytes, badge, did_document, status_list

pytestmark = pytest.mark.asyncio(loop_scope="module")

BADGE = badge(credentialStatus=None)
SIGNED = json.dumps(ISSUER.sign(badge()))
TOKEN = ISSUER.token(BADGE)


async def verdict_on(data: bytes, workers: CanonicalWorkers, did: bytes | None = None) -> dict[str, Any]:
    facts = await Examiner(workers).examine(data, Given(status_list(), did))
    verdict = judge_either(facts, AT)
    told: dict[str, Any] = verdict_json(verdict)  # type: ignore[arg-type]
    return told


def code_of(verdict: dict[str, Any]) -> str:
    return next(each["code"] for each in verdict["checks"] if each["outcome"] in ("failed", "unknown"))


@pytest.mark.parametrize(
    "data",
    [
        SIGNED.encode(),
        png.bake(PNG, SIGNED),
        svg.bake(SVG, SIGNED),
        TOKEN.encode(),
        f"\n{TOKEN}\n".encode(),
        png.bake(PNG, TOKEN),
        svg.bake(SVG, TOKEN),
        as_bytes(envelope(TOKEN)),
        as_bytes({"verifiableCredential": TOKEN}),
    ],
    ids=["JSON", "PNG", "SVG", "token", "token in a file", "token in PNG", "in SVG", "envelope", "wrapped"],
)
async def test_a_credential_is_valid_however_it_is_carried(data: bytes, workers: CanonicalWorkers) -> None:
    verdict = await verdict_on(data, workers)
    assert verdict["verdict"] == "valid", verdict["sentence"]


async def test_a_token_is_bound_to_its_issuer_like_a_proof(workers: CanonicalWorkers) -> None:
    borrowed = await verdict_on(OTHER.token(BADGE).encode(), workers)
    assert (borrowed["verdict"], code_of(borrowed)) == ("invalid", "KEY_NOT_OF_ISSUER")
    wrong_key = await verdict_on(OTHER.token(BADGE, method=ISSUER.method).encode(), workers)
    assert code_of(wrong_key) == "PROOF_VERIFICATION_ERROR"
    web = WEB.token(badge(WEB, credentialStatus=None)).encode()
    assert (await verdict_on(web, workers, did_document()))["verdict"] == "valid"
    assert code_of(await verdict_on(web, workers)) == "KEY_NOT_RETRIEVED"


async def test_an_altered_token_is_invalid(workers: CanonicalWorkers) -> None:
    head, payload, signature = TOKEN.split(".")
    altered = json.loads(base64url.decode(payload)) | {"name": "Another"}
    data = ".".join((head, base64url.encode(as_bytes(altered)), signature)).encode()
    assert code_of(await verdict_on(data, workers)) == "PROOF_VERIFICATION_ERROR"


async def test_a_token_is_held_to_defined_words_and_to_the_shape_of_a_credential(
    workers: CanonicalWorkers,
) -> None:
    undefined = await verdict_on(ISSUER.token(BADGE | {"mood": "good"}).encode(), workers)
    assert code_of(undefined) == "DATA_LOSS_DETECTION_ERROR"
    shapeless = await verdict_on(ISSUER.token(BADGE | {"credentialSubject": {}}).encode(), workers)
    assert code_of(shapeless) == "MALFORMED_VALUE_ERROR"
    expired = await verdict_on(ISSUER.token(BADGE | {"validUntil": "2026-05-01T00:00:00Z"}).encode(), workers)
    assert code_of(expired) == "EXPIRED"


async def test_a_presentations_token_is_no_credential(workers: CanonicalWorkers) -> None:
    presented = {
        "@context": BADGE["@context"][:1],
        "type": ["VerifiablePresentation"],
        "holder": ISSUER.did,
        "verifiableCredential": [envelope(TOKEN)],
    }
    reading = await read(ISSUER.token(presented, Form.PRESENTATION), Allowance(workers))
    assert reading.unreadable is not None
    assert reading.unreadable.outcome == "failed"


async def test_a_token_of_another_algorithm_is_unknown_and_not_invalid(workers: CanonicalWorkers) -> None:
    _, payload, signature = TOKEN.split(".")
    head = base64url.encode(b'{"alg":"ES512","typ":"vc+jwt"}')
    verdict = await verdict_on(".".join((head, payload, signature)).encode(), workers)
    assert verdict["verdict"] == "unknown"


@pytest.mark.parametrize("algorithm", ["none", "HS256", "EdDSA"])
async def test_a_token_without_a_signature_is_invalid(algorithm: str, workers: CanonicalWorkers) -> None:
    """`none` with and without bytes behind it, a code that whoever checks it can make, and just nothing."""
    _, payload, signature = TOKEN.split(".")
    head = base64url.encode(f'{{"alg":"{algorithm}","typ":"vc+jwt"}}'.encode())
    for end in ["", signature] if algorithm != "EdDSA" else [""]:
        verdict = await verdict_on(f"{head}.{payload}.{end}".encode(), workers)
        assert (verdict["verdict"], code_of(verdict)) == ("invalid", "PARSING_ERROR")


@pytest.mark.parametrize(
    "data",
    [PNG, SVG, PNG[:-1], b"<svg>", b"a.b.c", b'"a.b.c"', b"\x89PNG\r\n\x1a\n", b"<"],
    ids=lambda data: repr(data[:12]),
)
async def test_what_carries_no_credential_is_invalid(data: bytes, workers: CanonicalWorkers) -> None:
    verdict = await verdict_on(data, workers)
    assert verdict["verdict"] == "invalid"
    assert verdict["checks"][0]["outcome"] == "failed"
