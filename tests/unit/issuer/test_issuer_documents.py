"""What the issuer signs: golden documents byte for byte, and what every document must be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from services.issuer.documents.achievement import achievement_page
from services.issuer.documents.credential import (
    RENDERER,
    RENDERERS,
    CredentialFacts,
    holes_around,
    render_credential,
)
from services.issuer.documents.issuers import profile_page
from services.issuer.documents.signed import (
    digest,
    document_bytes,
    proof_configs,
    signatures_of,
)
from services.issuer.documents.status_list import ListFacts, render_status_list
from services.issuer.documents.tokens import renderer_for
from services.issuer.handlers.linting import lint_credential
from services.issuer.handlers.pages import DriftError, signed_bytes
from shared.contracts import sealed
from shared.contracts.credentials import CredentialSigned, PlannedToken
from shared.proofs import openbadge_schema, vcdm
from shared.proofs.bitstring import Bitstring
from shared.proofs.rdfc import Canonicaliser
from tests.unit.issuer.samples import (
    ACHIEVEMENT_ID,
    ADDRESSES,
    DEFINITION,
    DID,
    EMAIL,
    FACTS,
    HOLES,
    ISSUED,
    KEY_ID,
    NAME,
    PROFILE,
    minimal,
    planned_proof,
    signed_document,
)

GOLDEN = Path(__file__).parent / "golden"
LIST = ListFacts(
    ISSUED.status.list_id,
    DID,
    Bitstring.zeros().with_bits([0, 7, 8, 73_115, 131_071]).data,
    ISSUED.created,
    ISSUED.valid_until or ISSUED.created,
    300_000,
)


GOLDEN_DOCUMENTS: dict[str, Callable[[], Any]] = {
    "credential-1.json": lambda: render_credential(1, FACTS),
    "credential-1-minimal.json": lambda: render_credential(1, minimal()),
    "credential-1-signed.json": lambda: signed_document(FACTS, ("eddsa-rdfc-2022", "eddsa-jcs-2022"))[0],
    "credential-2.json": lambda: render_credential(2, FACTS),
    "credential-2-minimal.json": lambda: render_credential(2, minimal()),
    "achievement.json": lambda: achievement_page(ADDRESSES, ACHIEVEMENT_ID, 2, DEFINITION),
    "profile.json": lambda: profile_page(ADDRESSES, "oslo", DID, PROFILE),
    "status-list.json": lambda: render_status_list(ADDRESSES, LIST),
}


@pytest.mark.parametrize("name", GOLDEN_DOCUMENTS)
def test_a_document_is_rendered_as_it_was_byte_for_byte(name: str) -> None:
    """A golden file is never edited: a document that must look different gets a new renderer."""
    assert document_bytes(GOLDEN_DOCUMENTS[name]()) == (GOLDEN / name).read_bytes()


def test_every_renderer_that_ever_signed_has_its_golden_documents() -> None:
    for number in RENDERERS:
        assert (GOLDEN / f"credential-{number}.json").exists()
        assert (GOLDEN / f"credential-{number}-minimal.json").exists()


@pytest.mark.parametrize("facts", [FACTS, minimal()], ids=["full", "minimal"])
def test_a_signed_credential_is_an_open_badge_of_which_no_word_is_dropped(facts: CredentialFacts) -> None:
    document, _ = signed_document(facts, ("eddsa-rdfc-2022", "eddsa-jcs-2022"))
    assert openbadge_schema.problems(document) == []
    assert vcdm.problems(document) == []
    quads = Canonicaliser().nquads(render_credential(RENDERER, facts))
    for word in ("EQF 5", "Sound", "80.00", "Examination board 3", "60 hours"):
        assert (word in quads) == (word in document_bytes(document).decode())


def test_all_documents_pass_safe_mode() -> None:
    canonicaliser = Canonicaliser()
    for make in GOLDEN_DOCUMENTS.values():
        document = {key: value for key, value in make().items() if key != "proof"}
        assert canonicaliser.nquads(document)


def test_name_and_email_stand_in_no_document_in_clear_but_can_be_confirmed_with_the_salt() -> None:
    data = document_bytes(render_credential(RENDERER, FACTS))
    assert NAME.encode() not in data
    assert EMAIL.encode() not in data
    subject = orjson.loads(data)["credentialSubject"]
    for identity, value in zip(subject["identifier"], (EMAIL, NAME), strict=True):
        expected = hashlib.sha256((value + identity["salt"]).encode()).hexdigest()
        assert identity["identityHash"] == f"sha256${expected}"
        assert len(bytes.fromhex(identity["salt"])) == 16


def test_the_subject_of_an_open_badges_token_is_a_place_in_its_credential_and_nobodys_name() -> None:
    before, after = render_credential(1, FACTS), render_credential(2, FACTS)
    subject: Any = after["credentialSubject"]
    assert subject["id"] == f"{after['id']}#subject"
    assert next(iter(subject)) == "id"
    assert {**after, "credentialSubject": before["credentialSubject"]} == before
    assert {name: value for name, value in subject.items() if name != "id"} == before["credentialSubject"]
    assert renderer_for([PlannedToken(form="ob-jwt")]) == 2
    assert renderer_for([PlannedToken(form="vc+jwt")]) == renderer_for([]) == 1


def numbers(value: Any) -> list[Any]:
    """Every number in a document."""
    if isinstance(value, dict):
        return [number for child in value.values() for number in numbers(child)]
    if isinstance(value, list):
        return [number for child in value for number in numbers(child)]
    return [value] if isinstance(value, (int, float)) and not isinstance(value, bool) else []


def test_holes_are_the_same_written_around_an_assessment_or_as_a_whole() -> None:
    written = holes_around(sealed.encode(HOLES.assessment), HOLES.email_salt, HOLES.name_salt)
    assert written == sealed.encode(HOLES)


def test_no_number_in_a_credential_is_a_float() -> None:
    found = numbers(render_credential(RENDERER, FACTS))
    assert found == [2]
    assert all(type(number) is int for number in found)


def test_every_result_points_to_a_description_and_a_level_that_the_achievement_has() -> None:
    subject: Any = render_credential(RENDERER, FACTS)["credentialSubject"]
    descriptions = {each["id"]: each for each in subject["achievement"]["resultDescription"]}
    for result in subject["result"]:
        described = descriptions[result["resultDescription"]]
        levels = [level["id"] for level in described.get("rubricCriterionLevel", [])]
        assert result.get("achievedLevel") in (levels or [None])


def test_the_elements_that_the_eu_asks_for_can_be_read() -> None:
    achievement: Any = render_credential(RENDERER, FACTS)["credentialSubject"]
    told = orjson.dumps(achievement["achievement"]).decode()
    for element in ("60 hours", "EQF 5", "project with oral examination", "blended", "institutional"):
        assert element in told


def test_evidence_that_is_given_twice_stands_once() -> None:
    link = HOLES.assessment.evidence[0]
    again = replace(link, name="Again")
    assessment = replace(HOLES.assessment, evidence=(link, again))
    holes = replace(HOLES, assessment=assessment)
    facts = CredentialFacts(ADDRESSES, "oslo", DID, PROFILE, DEFINITION, ISSUED, holes)
    evidence: Any = render_credential(RENDERER, facts)["evidence"]
    assert [each.get("name") for each in evidence] == ["Assessment", "The analysis"]


def test_the_status_entry_is_one_object_whose_id_is_not_the_lists() -> None:
    status: Any = render_credential(RENDERER, FACTS)["credentialStatus"]
    assert status["statusListIndex"] == "73115"
    assert status["id"] == f"{status['statusListCredential']}#73115"


def test_a_status_list_names_its_issuer_as_a_string_and_counts_ttl_in_milliseconds() -> None:
    document: Any = render_status_list(ADDRESSES, LIST)
    assert document["issuer"] == DID
    assert document["type"] == ["VerifiableCredential", "BitstringStatusListCredential"]
    assert document["credentialSubject"]["ttl"] == 300_000
    lint_credential(document, proof_configs(document, ISSUED.proofs, KEY_ID, ISSUED.created))


def test_proofs_stand_at_the_end_and_signing_again_gives_the_same_bytes() -> None:
    once, made = signed_document(FACTS, ("eddsa-rdfc-2022",))
    again, _ = signed_document(FACTS, ("eddsa-rdfc-2022",))
    assert list(once)[-1] == "proof"
    assert document_bytes(once) == document_bytes(again)
    assert len(signatures_of(made)[0]) == 64


def recorded(facts: CredentialFacts) -> CredentialSigned:
    """The credential.signed of `facts`."""
    document, made = signed_document(facts, ("eddsa-rdfc-2022",))
    return CredentialSigned(
        credential_id=ISSUED.credential_id,
        learner_id=ISSUED.learner_id,
        achievement_id=ACHIEVEMENT_ID,
        achievement_version=2,
        achievement_name="-",
        issuer_name="-",
        key_id=KEY_ID,
        proofs=made,
        document_sha256=digest(document_bytes(document)),
        signed_at=ISSUED.created,
        contact="-",
    )


def planned_as_signed(facts: CredentialFacts) -> CredentialFacts:
    """`facts` with the plan that `recorded` carries out."""
    issued = facts.issued.model_copy(update={"proofs": (planned_proof(0, "eddsa-rdfc-2022"),)})
    return CredentialFacts(ADDRESSES, "oslo", DID, PROFILE, facts.definition, issued, facts.holes)


def test_a_document_that_drifted_from_what_was_signed_is_never_served() -> None:
    facts = planned_as_signed(FACTS)
    event = recorded(facts)
    assert digest(signed_bytes(facts, event)) == event.document_sha256
    renamed = CredentialFacts(
        ADDRESSES,
        "oslo",
        DID,
        PROFILE,
        DEFINITION.model_copy(update={"description": "Another sentence."}),
        facts.issued,
        facts.holes,
    )
    with pytest.raises(DriftError):
        signed_bytes(renamed, event)
