"""Presentations: the holder's proof, for whom and for which request, and a verdict on each credential."""

from __future__ import annotations

from typing import Any

import pytest

from services.verifier.answers import presentation_json
from services.verifier.api.answer_models import PresentationAnswer
from services.verifier.domain.presentation_rules import PresentationVerdict, judge_either
from services.verifier.examination.examine import Examiner, Expected
from services.verifier.examination.presentation_shape import CREDENTIALS_MAX
from services.verifier.offline import Given
from shared.proofs.vc_jwt import Form, envelope
from shared.proofs.workers import CanonicalWorkers
from tests.unit.verifier.credentials import (
    AT,
    INDEX,
    ISSUER,
    OTHER,
    WEB,
    Signer,
    as_bytes,
    badge,
    did_document,
    status_list,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOLDER = Signer(5)
GOOD = ISSUER.sign(badge())
PLAIN = ISSUER.sign(badge(credentialStatus=None))
EXPECTED = Expected("verifier.example", "n-1")
FOR_US = {"domain": "verifier.example", "challenge": "n-1"}
CONTEXT = GOOD["@context"][0]


async def verdict_on(
    presentation: Any, workers: CanonicalWorkers, expected: Expected = EXPECTED, **sources: Any
) -> PresentationVerdict:
    data = presentation.encode() if isinstance(presentation, str) else as_bytes(presentation)
    given = Given(sources.get("status_list", status_list()), sources.get("did_document"))
    verdict = judge_either(await Examiner(workers).examine(data, given, expected), AT)
    assert isinstance(verdict, PresentationVerdict)
    told = presentation_json(verdict)
    assert PresentationAnswer.model_validate(told).model_dump() == told
    return verdict


def first_amiss(verdict: PresentationVerdict) -> tuple[str, str | None]:
    decisive = {"invalid": "failed", "unknown": "unknown"}[verdict.result]
    return next((check.name, check.code) for check in verdict.checks if check.outcome == decisive)


@pytest.mark.parametrize(
    "presentation",
    [
        HOLDER.present(GOOD, **FOR_US),
        HOLDER.present(GOOD, document={"verifiableCredential": GOOD}, **FOR_US),
        HOLDER.present(GOOD, document={"holder": None}, **FOR_US),
        HOLDER.present(GOOD, document={"holder": {"id": HOLDER.did}}, **FOR_US),
        HOLDER.present(GOOD, document={"id": None}, **(FOR_US | {"domain": ["x", "verifier.example"]})),
        {"verifiablePresentation": HOLDER.present(GOOD, **FOR_US)},
    ],
    ids=["plain", "one credential", "unnamed holder", "holder as object", "domains", "wrapped"],
)
async def test_a_good_presentation_is_valid_with_each_of_its_credentials(
    presentation: Any, workers: CanonicalWorkers
) -> None:
    verdict = await verdict_on(presentation, workers)
    assert verdict.result == "valid", verdict.sentence
    assert verdict.holder == HOLDER.did
    assert [credential.result for credential in verdict.credentials] == ["valid"]


async def test_a_presented_token_is_judged_like_any_presentation(workers: CanonicalWorkers) -> None:
    token = ISSUER.token(badge(credentialStatus=None))
    document = {
        "@context": [CONTEXT],
        "type": ["VerifiablePresentation"],
        "holder": HOLDER.did,
        "verifiableCredential": [envelope(token)],
    }
    presented = HOLDER.token(document, Form.PRESENTATION)
    for value in (presented, envelope(presented, Form.PRESENTATION)):
        verdict = await verdict_on(value, workers, Expected())
        assert verdict.result == "valid", verdict.sentence
        assert first_amiss(await verdict_on(value, workers)) == (
            "meant for this verifier",
            "INVALID_DOMAIN_ERROR",
        )


ODD: dict[str, tuple[Any, str, str | None]] = {
    "another's proof": (
        OTHER.present(GOOD, document={"holder": HOLDER.did}, **FOR_US),
        "key belongs to holder",
        "KEY_NOT_OF_ISSUER",
    ),
    "no proof": (
        {name: value for name, value in HOLDER.present(GOOD).items() if name != "proof"},
        "proof",
        "PROOF_VERIFICATION_ERROR",
    ),
    "a proof for assertion": (
        HOLDER.present(GOOD, proofPurpose="assertionMethod", **FOR_US),
        "proof",
        "PROOF_VERIFICATION_ERROR",
    ),
    "another domain": (
        HOLDER.present(GOOD, **(FOR_US | {"domain": "other.example"})),
        "meant for this verifier",
        "INVALID_DOMAIN_ERROR",
    ),
    "no domain": (HOLDER.present(GOOD, challenge="n-1"), "meant for this verifier", "INVALID_DOMAIN_ERROR"),
    "another challenge": (
        HOLDER.present(GOOD, **(FOR_US | {"challenge": "n-2"})),
        "meant for this verifier",
        "INVALID_CHALLENGE_ERROR",
    ),
    "an altered credential": (
        HOLDER.present(PLAIN | {"name": "Another"}, **FOR_US),
        "credentials",
        "PROOF_VERIFICATION_ERROR",
    ),
    "one bad credential of two": (
        HOLDER.present(PLAIN, ISSUER.sign(badge(validUntil="2026-05-01T00:00:00Z")), **FOR_US),
        "credentials",
        "EXPIRED",
    ),
    "a credential added after signing": (
        HOLDER.present(PLAIN, **FOR_US) | {"verifiableCredential": [PLAIN, GOOD]},
        "proof",
        "PROOF_VERIFICATION_ERROR",
    ),
    "too many credentials": (
        HOLDER.present(*[PLAIN] * (CREDENTIALS_MAX + 1), **FOR_US),
        "parsed",
        "MALFORMED_VALUE_ERROR",
    ),
    "a holder that is no URL": (
        HOLDER.present(GOOD, **FOR_US) | {"holder": "me"},
        "parsed",
        "MALFORMED_VALUE_ERROR",
    ),
    "an id that is no URL": (HOLDER.present(GOOD) | {"id": None}, "parsed", "MALFORMED_VALUE_ERROR"),
    "a context that is not first": (
        HOLDER.present(GOOD) | {"@context": ["https://www.w3.org/2018/credentials/v1"]},
        "contexts",
        "PROOF_TRANSFORMATION_ERROR",
    ),
    "a credential that is a text": (
        HOLDER.present(GOOD) | {"verifiableCredential": ["e30.e30.e30"]},
        "parsed",
        "MALFORMED_VALUE_ERROR",
    ),
}


@pytest.mark.parametrize(("presentation", "check", "code"), ODD.values(), ids=ODD.keys())
async def test_an_odd_presentation_is_invalid_and_says_why(
    presentation: Any, check: str, code: str, workers: CanonicalWorkers
) -> None:
    verdict = await verdict_on(presentation, workers)
    assert (verdict.result, first_amiss(verdict)) == ("invalid", (check, code))


async def test_what_cannot_be_told_leaves_the_presentation_open(
    workers: CanonicalWorkers,
) -> None:
    verdict = await verdict_on(HOLDER.present(GOOD, **FOR_US), workers, status_list=None)
    assert (verdict.result, first_amiss(verdict)) == ("unknown", ("credentials", "STATUS_RETRIEVAL_ERROR"))
    revoked = await verdict_on(
        HOLDER.present(GOOD, **FOR_US), workers, status_list=status_list(revoked=[INDEX])
    )
    assert (revoked.result, first_amiss(revoked)) == ("invalid", ("credentials", "REVOKED"))


async def test_a_holders_key_has_to_be_one_for_authentication(workers: CanonicalWorkers) -> None:
    presentation = WEB.present(PLAIN, **FOR_US)
    published = did_document(authentication=[WEB.method])
    assert (await verdict_on(presentation, workers, did_document=published)).result == "valid"
    for_credentials_alone = await verdict_on(presentation, workers, did_document=did_document())
    assert first_amiss(for_credentials_alone) == (
        "key belongs to holder",
        "INVALID_RELATIONSHIP_FOR_VERIFICATION_METHOD",
    )


async def test_without_expectations_the_audience_is_not_asked(workers: CanonicalWorkers) -> None:
    verdict = await verdict_on(HOLDER.present(PLAIN), workers, Expected())
    assert verdict.result == "valid"
    assert {check.name: check.outcome for check in verdict.checks}["meant for this verifier"] == "skipped"


@pytest.mark.parametrize("within", [[PLAIN], [envelope(ISSUER.token(badge())), PLAIN], PLAIN])
async def test_a_token_of_a_presentation_holds_enveloped_credentials_alone(
    within: Any, workers: CanonicalWorkers
) -> None:
    document = {
        "@context": [CONTEXT],
        "type": ["VerifiablePresentation"],
        "holder": HOLDER.did,
        "verifiableCredential": within,
    }
    verdict = await verdict_on(HOLDER.token(document, Form.PRESENTATION), workers, Expected())
    assert (verdict.result, first_amiss(verdict)) == ("invalid", ("parsed", "PARSING_ERROR"))


async def test_a_presentation_of_nothing_praises_no_credential(workers: CanonicalWorkers) -> None:
    verdict = await verdict_on(HOLDER.present(document={"verifiableCredential": None}, **FOR_US), workers)
    assert (verdict.result, verdict.credentials) == ("valid", ())
    assert verdict.sentence == (
        "The presentation is its holder's, and holds no credential: it proves nothing further."
    )
