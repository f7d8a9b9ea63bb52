"""A file is verified with what was given beside it: no network, no database."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from services.verifier.answers import verdict_json
from services.verifier.api import VerdictAnswer
from services.verifier.domain.judging import judge
from services.verifier.examination.examine import Examiner
from services.verifier.examination.lists import ListReader
from services.verifier.examination.sources import FoundList
from services.verifier.offline import EXIT_CODES, Given, verify_file
from shared.errors import Invalid
from shared.proofs.allowance import Allowance
from shared.proofs.workers import CanonicalWorkers
from tests.unit.verifier.credentials import AT, INDEX, ISSUER, OTHER, as_bytes, badge, status_list


async def test_a_file_is_verified_with_the_list_that_was_given() -> None:
    credential = as_bytes(ISSUER.sign(badge()))
    exits = []
    for listed in (status_list(), status_list(revoked=[INDEX]), None):
        verdict = await verify_file(credential, status_list=listed, did_document=None, at=AT)
        exits.append(EXIT_CODES[verdict.result])
    assert exits == [0, 1, 2]


async def test_the_answer_over_http_has_the_same_form() -> None:
    verdict = await verify_file(b"", status_list=None, did_document=None, at=AT)
    assert VerdictAnswer.model_validate(verdict_json(verdict)).model_dump() == verdict_json(verdict)


@pytest.mark.parametrize("document", [b"", b"[]", b'{"id": "https://x.example"}', b'{"id": 1}'])
async def test_a_file_that_is_no_did_document_is_said_to_be_none(document: bytes) -> None:
    with pytest.raises(Invalid, match="did-document-malformed"):
        await verify_file(b"{}", status_list=None, did_document=document, at=AT)


async def test_the_worked_example_is_valid() -> None:
    example = resources.files("services.verifier").joinpath("example_credential.json").read_bytes()
    verdict = await verify_file(example, status_list=None, did_document=None, at=AT)
    assert verdict.result == "valid"


async def test_a_document_that_takes_too_long_is_unknown_and_others_go_on() -> None:
    """The worker is killed in the middle; what comes next gets a fresh one."""
    # Many words a node, so that it takes many ticks of the clock by which CPU time is counted.
    words = dict.fromkeys(("name", "description", "narrative", "genre", "audience"), "Item")
    nodes = [{"type": ["Evidence"], **words, "name": f"Item {number}"} for number in range(60)]
    slow = as_bytes(ISSUER.sign(badge(credentialStatus=None, evidence=nodes)))
    async with CanonicalWorkers(1, job_cpu_s=0.001) as workers:
        examiner, sources = Examiner(workers), Given(None, None)
        facts = await examiner.examine(slow, sources)
        again = await examiner.examine(slow, sources)
    assert facts == again
    proofs = facts.document.proofs
    assert isinstance(proofs, tuple)
    objection = proofs[0].signature
    assert objection is not None
    assert (objection.outcome, objection.code) == ("unknown", "PROOF_TRANSFORMATION_ERROR")
    verdict = await verify_file(slow, status_list=None, did_document=None, at=AT)
    assert verdict.result == "valid"


async def test_a_list_is_read_once_for_each_text() -> None:
    async with CanonicalWorkers(1) as workers:
        reader, allowance = ListReader(), Allowance(workers)
        first = await reader.read(FoundList.of(status_list()), allowance)
        assert await reader.read(FoundList.of(status_list()), allowance) is first
        changed = await reader.read(FoundList.of(status_list(revoked=[INDEX])), allowance)
        assert changed.bits != first.bits


async def test_what_is_cached_of_a_list_is_not_that_it_was_trusted() -> None:
    """A list in the cache is still refused under another issuer's credential, and once it is out of date."""
    listed = status_list()
    async with CanonicalWorkers(1) as workers:
        examiner, sources = Examiner(workers), Given(listed, None)
        own = await examiner.examine(as_bytes(ISSUER.sign(badge())), sources)
        others = await examiner.examine(as_bytes(OTHER.sign(badge(OTHER))), sources)
    assert judge(own, AT).result == "valid"
    assert judge(own, AT.replace(day=9)).result == "unknown"
    assert judge(others, AT).result == "unknown"


async def test_no_value_of_the_credential_enters_a_verdict() -> None:
    secret = "Ada-Lovelace-1815"
    documents = [
        badge(issuer=secret),
        badge(validFrom=secret),
        badge(credentialSubject={"id": secret}),
        badge(credentialStatus={"id": secret, "type": secret}),
        badge(proof={"type": secret, "cryptosuite": secret}),
        badge(proof={"type": "DataIntegrityProof", "cryptosuite": "eddsa-rdfc-2022", "proofPurpose": secret}),
    ]
    for document in documents:
        verdict = await verify_file(as_bytes(document), status_list=None, did_document=None, at=AT)
        assert verdict.result in {"invalid", "unknown"}
        assert secret not in json.dumps(verdict_json(verdict))
