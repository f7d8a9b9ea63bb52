"""What lint lets pass and what it refuses: the last look at a document before it is signed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.issuer.documents.credential import (
    RENDERER,
    Common,
    CredentialFacts,
    Holes,
    render_common,
    render_credential,
)
from services.issuer.documents.signed import proof_configs
from services.issuer.handlers.linting import BadgeLint, lint_badge
from shared.errors import Invalid
from shared.proofs import openbadge_schema, strictjson, vcdm
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
    PROFILE,
    minimal,
    signed_document,
)


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
    link = replace(HOLES.assessment.evidence[0], url=url)
    assessment = replace(HOLES.assessment, evidence=(link,))
    holes = replace(HOLES, assessment=assessment)
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
    learner = replace(samples.ASSESSMENT.learner, name=name, email=EMAIL)
    written = {"learner": learner, "narrative": narrative, "score_percent": f"{score / 100:.2f}"}
    holes = Holes(assessment=replace(HOLES.assessment, **written), email_salt="0" * 32, name_salt="1" * 32)
    facts = CredentialFacts(ADDRESSES, "oslo", DID, PROFILE, DEFINITION, ISSUED, holes)
    try:
        linted(facts)
    except Invalid:
        return
    document, _ = signed_document(facts, ("eddsa-jcs-2022",))
    assert openbadge_schema.problems(document) == []
    assert vcdm.problems(document) == []
