"""What the issuer signs: golden documents byte for byte, and what every document must be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.issuer.documents.achievement import achievement_page
from services.issuer.documents.credential import (
    RENDERER,
    RENDERERS,
    Common,
    CredentialFacts,
    render_common,
    render_credential,
)
from services.issuer.documents.issuers import profile_page
from services.issuer.documents.signed import (
    digest,
    document_bytes,
    made_proofs,
    proof_configs,
    signatures_of,
    with_signatures,
)
from services.issuer.documents.status_list import ListFacts, render_status_list
from services.issuer.handlers.linting import BadgeLint, lint_badge, lint_credential
from services.issuer.handlers.pages import DriftError, signed_bytes
from shared.contracts.credentials import CredentialSigned, MadeProof, PlannedProof
from shared.errors import Invalid
from shared.keys import EnvelopeSigner, seal_seed
from shared.proofs import openbadge_schema, strictjson, vcdm
from shared.proofs.bitstring import Bitstring
from shared.proofs.rdfc import Canonicaliser
from shared.proofs.suites import SUITES
from shared.sealing import MasterKey
from tests.unit.issuer import samples
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


def minimal() -> CredentialFacts:
    """Everything optional left out."""
    definition = DEFINITION.model_copy(
        update={
            "credits": None,
            "level": None,
            "alignments": (),
            "tags": (),
            "field_of_study": None,
            "validity_days": None,
        }
    )
    assessment = HOLES.assessment.model_copy(update={"evidence": (), "narrative": None})
    return CredentialFacts(
        ADDRESSES,
        "oslo",
        DID,
        PROFILE.model_copy(update={"email": None, "description": None, "country": None}),
        definition,
        ISSUED.model_copy(update={"valid_until": None}),
        HOLES.model_copy(update={"assessment": assessment}),
    )


def planned_proof(number: int, suite: str) -> PlannedProof:
    """A plan with a fixed id."""
    return PlannedProof(id=f"urn:uuid:00000000-0000-5000-8000-00000000000{number}", cryptosuite=suite)


def signed_document(
    facts: CredentialFacts, suites: tuple[str, ...]
) -> tuple[dict[str, Any], tuple[MadeProof, ...]]:
    """The credential signed by the key of a fixed seed, and the proofs as an event records them."""
    master = MasterKey(bytes(32))
    signer = EnvelopeSigner.open(master, seal_seed(master, bytes(range(32)), KEY_ID), KEY_ID)
    document = render_credential(RENDERER, facts)
    planned = [planned_proof(number, suite) for number, suite in enumerate(suites)]
    configs = proof_configs(document, planned, KEY_ID, facts.issued.created)
    hashes = [SUITES[str(config["cryptosuite"])].hash_data(document, config) for config in configs]
    signatures = signer.sign(hashes)
    signed = with_signatures(document, configs, signatures)
    return signed, made_proofs(signed)


GOLDEN_DOCUMENTS: dict[str, Callable[[], Any]] = {
    "credential-1.json": lambda: render_credential(1, FACTS),
    "credential-1-minimal.json": lambda: render_credential(1, minimal()),
    "credential-1-signed.json": lambda: signed_document(FACTS, ("eddsa-rdfc-2022", "eddsa-jcs-2022"))[0],
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


def numbers(value: Any) -> list[Any]:
    """Every number in a document."""
    if isinstance(value, dict):
        return [number for child in value.values() for number in numbers(child)]
    if isinstance(value, list):
        return [number for child in value for number in numbers(child)]
    return [value] if isinstance(value, (int, float)) and not isinstance(value, bool) else []


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
    again = link.model_copy(update={"name": "Again"})
    assessment = HOLES.assessment.model_copy(update={"evidence": (link, again)})
    holes = HOLES.model_copy(update={"assessment": assessment})
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


def reasons_of(lint: Callable[[], None]) -> tuple[str, ...] | None:
    """Why a lint refuses; None if it does not."""
    try:
        lint()
    except Invalid as refusal:
        return refusal.reasons
    return None


def linted(facts: CredentialFacts) -> None:
    """Lint whole, and around the common parts: the judgement must be the same to the word."""
    common = render_common(RENDERER, facts)
    document = render_credential(RENDERER, facts, common)
    assert document == render_credential(RENDERER, facts)
    judged(document, common)
    lint_badge(document, proof_configs(document, ISSUED.proofs, KEY_ID, ISSUED.created))


def judged(document: Any, common: Common) -> tuple[str, ...] | None:
    """What both lints say of `document`, which must be the same; `common` is found in it or is not."""
    configs = proof_configs(document, ISSUED.proofs, KEY_ID, ISSUED.created)
    whole = reasons_of(lambda: lint_badge(document, configs))
    assert reasons_of(lambda: BadgeLint(common)(document, configs)) == whole
    return whole


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every value within a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, child in inner for place in places(child, (*path, key)))]


def changed(document: Any, place: tuple[str | int, ...], value: Any) -> Any:
    """A copy with another value at `place`; what does not lie on the way there is the same object."""
    if not place:
        return value
    key, *rest = place
    copied = dict(document) if isinstance(document, dict) else list(document)
    copied[key] = changed(document[key], tuple(rest), value)
    return copied


BAD_VALUES = (
    "",
    " ",
    "\x07",
    "\x7f",
    "\\",
    "no url",
    None,
    {},
    [],
    [{}],
    "x" * 300_000,
    {"id": DID},
    "\ud800",
    1.5,
)


def test_a_document_is_judged_alike_whole_and_around_its_common_parts_whatever_is_wrong_with_it() -> None:
    common = render_common(RENDERER, FACTS)
    document = render_credential(RENDERER, FACTS, common)
    refused = 0
    for place in places(document)[1:]:
        for value in BAD_VALUES:
            mutant = changed(document, place, value)
            refused += judged(mutant, common) is not None
            if place[0] == "issuer" or place[:2] == ("credentialSubject", "achievement"):
                subject = mutant["credentialSubject"]
                if isinstance(subject, dict) and isinstance(subject.get("achievement"), dict):
                    refused += judged(mutant, Common(mutant["issuer"], subject["achievement"])) is not None
    assert refused > 500


def test_an_id_that_a_hole_borrows_from_the_common_parts_is_seen() -> None:
    common = render_common(RENDERER, FACTS)
    document: Any = render_credential(RENDERER, FACTS, common)
    assert judged(document, common) is None
    for borrowed in (common.issuer["id"], common.achievement["id"]):
        mutant = changed(document, ("evidence", 1, "id"), borrowed)
        assert judged(mutant, common) == ("$: two objects have one id",)


def with_evidence(url: str) -> CredentialFacts:
    link = HOLES.assessment.evidence[0].model_copy(update={"url": url})
    assessment = HOLES.assessment.model_copy(update={"evidence": (link,)})
    holes = HOLES.model_copy(update={"assessment": assessment})
    return CredentialFacts(ADDRESSES, "oslo", DID, PROFILE, DEFINITION, ISSUED, holes)


def test_lint_lets_a_badge_pass() -> None:
    linted(FACTS)
    linted(minimal())


@pytest.mark.parametrize(
    "url",
    [
        ADDRESSES.achievement(ACHIEVEMENT_ID, 2),
        ADDRESSES.credential(ISSUED.credential_id),
        f"{ADDRESSES.credential(ISSUED.credential_id)}#assessment",
    ],
    ids=["achievement", "credential", "assessment"],
)
def test_lint_refuses_evidence_that_borrows_the_id_of_another_part(url: str) -> None:
    """Both would be one node of the signed graph, and their members could change places under the proof."""
    with pytest.raises(Invalid, match="one id"):
        linted(with_evidence(url))


@pytest.mark.parametrize("text", ["bell \x07", "delete \x7f", "lone \ud800"])
def test_lint_refuses_characters_that_processors_write_differently(text: str) -> None:
    definition = DEFINITION.model_construct(**{**dict(DEFINITION), "description": text})
    with pytest.raises(Invalid):
        linted(CredentialFacts(ADDRESSES, "oslo", DID, PROFILE, definition, ISSUED, HOLES))


@given(
    st.lists(
        st.one_of(
            st.characters(codec="utf-8"),
            st.sampled_from(["\\", "\x00", "\x07", "\x08", "\x0c", "\x7f", "\n", "u", "b", '"id":"x"']),
        ),
        max_size=30,
    ).map("".join)
)
@settings(max_examples=500, deadline=None)
def test_lint_refuses_exactly_the_characters_that_strict_json_refuses(text: str) -> None:
    document: Any = {**render_credential(RENDERER, FACTS), "name": f"n{text}"}
    try:
        strictjson.check(document)
        allowed = True
    except Invalid:
        allowed = False
    try:
        lint_badge(document, proof_configs(document, ISSUED.proofs, KEY_ID, ISSUED.created))
        passed = True
    except Invalid:
        passed = False
    assert passed == allowed


@given(
    name=st.text(min_size=1, max_size=50).filter(str.strip),
    narrative=st.text(min_size=1, max_size=200).filter(str.strip),
    score=st.integers(0, 10_000),
)
@settings(max_examples=100, deadline=None)
def test_whatever_a_submitter_writes_is_either_a_valid_badge_or_refused(
    name: str, narrative: str, score: int
) -> None:
    learner = samples.ASSESSMENT.learner.model_construct(name=name, email=EMAIL)
    written = {"learner": learner, "narrative": narrative, "score_percent": f"{score / 100:.2f}"}
    assessment = HOLES.assessment.model_construct(**{**dict(HOLES.assessment), **written})
    holes = HOLES.model_construct(assessment=assessment, email_salt="0" * 32, name_salt="1" * 32)
    facts = CredentialFacts(ADDRESSES, "oslo", DID, PROFILE, DEFINITION, ISSUED, holes)
    try:
        linted(facts)
    except Invalid:
        return
    document, _ = signed_document(facts, ("eddsa-jcs-2022",))
    assert openbadge_schema.problems(document) == []
    assert vcdm.problems(document) == []
