"""The pure verdict: which facts make a credential valid, invalid or unknown, and which check says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.verifier.answers import verdict_json
from services.verifier.domain.document_rules import CLOCK_SKEW
from services.verifier.domain.facts import (
    DocumentFacts,
    Facts,
    KeyFacts,
    ListFacts,
    Objection,
    Outcome,
    ProofFacts,
    Recognition,
    Registry,
    StatusFacts,
)
from services.verifier.domain.judging import judge
from services.verifier.domain.verdict import CHECKS, MANDATORY, Result, Verdict

AT = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
TICK = timedelta(milliseconds=1)
ISSUER = "did:web:badges.example"
STRANGER = "did:key:z6MkStranger"
LIST_URL = "https://badges.example/status/1"

DOUBT = Objection(Outcome.UNKNOWN, "SOME_DOUBT", "It cannot be told.")
FAULT = Objection(Outcome.FAILED, "SOME_FAULT", "It is wrong.")

GOOD_PROOF = ProofFacts(
    verification_method=f"{ISSUER}#key",
    created=AT - timedelta(days=1),
    expires=None,
    key=KeyFacts(ISSUER, valid_from=AT - timedelta(days=30)),
    signature=None,
)
GOOD_DOCUMENT = DocumentFacts(
    proofs=(GOOD_PROOF,),
    issuer=ISSUER,
    valid_from=AT - timedelta(days=1),
    valid_until=AT + timedelta(days=1),
)
GOOD_STATUS = StatusFacts(
    "revocation", LIST_URL, ListFacts(GOOD_DOCUMENT, LIST_URL, ("revocation",), value=0)
)
NORTH = Recognition("North College", AT - timedelta(days=30), "this installation")
GOOD = Facts(GOOD_DOCUMENT, (GOOD_STATUS,), Registry((NORTH,)))


def outcome(verdict: Verdict, name: str) -> Outcome:
    return next(check.outcome for check in verdict.checks if check.name == name)


def with_proofs(*proofs: ProofFacts) -> Facts:
    return replace(GOOD, document=replace(GOOD_DOCUMENT, proofs=proofs))


# --- any facts at all ---

moments = st.none() | st.sampled_from([AT + timedelta(hours=hours) for hours in (-48, -1, 0, 1, 48)])
objections = st.sampled_from([DOUBT, FAULT])
identifiers = st.sampled_from([ISSUER, STRANGER])
key_facts = st.builds(
    KeyFacts, identifiers, st.booleans(), moments, moments, st.booleans(), moments, st.booleans()
)
proofs = st.builds(
    ProofFacts,
    verification_method=identifiers.map(lambda did: f"{did}#key"),
    created=moments,
    expires=moments,
    key=st.none() | key_facts,
    signature=st.none() | objections,
).filter(lambda proof: proof.key is not None or proof.signature is not None)
documents = st.builds(
    DocumentFacts,
    unreadable=st.none() | st.just(FAULT),
    contexts=st.none() | objections,
    proofs=st.lists(proofs, max_size=3).map(tuple) | objections,
    issuer=identifiers,
    valid_from=moments,
    valid_until=moments,
) | st.just(GOOD_DOCUMENT)
lists = st.builds(
    ListFacts,
    documents,
    st.sampled_from([LIST_URL, None, "https://badges.example/status/2"]),
    st.sampled_from([("revocation",), ("suspension", "revocation"), ()]),
    st.integers(0, 3) | objections,
)
statuses = (
    st.builds(
        StatusFacts,
        st.sampled_from(["revocation", "suspension", "refresh", "message"]),
        st.just(LIST_URL),
        lists | st.just(DOUBT),
    )
    | objections
    | st.just(GOOD_STATUS)
)
facts = st.builds(
    Facts,
    documents,
    st.lists(statuses, max_size=3).map(tuple),
    st.none() | st.sampled_from([Registry(), Registry((NORTH,))]),
)


@given(facts)
def test_invalid_outranks_unknown_and_valid_needs_every_mandatory_check(given_facts: Facts) -> None:
    verdict = judge(given_facts, AT)
    outcomes = {check.outcome for check in verdict.checks if check.name in MANDATORY}
    assert tuple(check.name for check in verdict.checks) == CHECKS
    assert (verdict.result is Result.INVALID) == (Outcome.FAILED in outcomes)
    assert (verdict.result is Result.VALID) == (outcomes == {Outcome.PASSED})


@given(facts)
def test_a_valid_verdict_means_what_it_says(given_facts: Facts) -> None:
    """Said a second time, in other words than the domain's: what must be true of anything found valid."""
    document = given_facts.document
    if judge(given_facts, AT).result is not Result.VALID:
        return
    assert document.unreadable is None
    assert document.contexts is None
    assert isinstance(document.proofs, tuple)
    assert any(
        proof.signature is None
        and proof.key is not None
        and proof.key.asserts
        and proof.key.controller == document.issuer == proof.verification_method.partition("#")[0]
        and (proof.expires is None or proof.expires >= AT - CLOCK_SKEW)
        for proof in document.proofs
    )
    assert document.valid_from is None or document.valid_from <= AT + CLOCK_SKEW
    assert document.valid_until is None or document.valid_until >= AT - CLOCK_SKEW
    for status in given_facts.status:
        assert isinstance(status, StatusFacts)
        assert isinstance(status.found, ListFacts)
        assert status.found.document.issuer == document.issuer
        assert status.found.value == 0 or status.purpose in ("refresh", "message")
        assert status.found.id == status.list_url


@given(facts)
def test_a_code_stands_where_a_check_did_not_pass_and_nowhere_else(given_facts: Facts) -> None:
    for check in judge(given_facts, AT).checks:
        assert (check.code is not None) == (check.outcome in (Outcome.FAILED, Outcome.UNKNOWN))


# --- single rules ---


def test_given_nothing_amiss_then_valid_and_recognised() -> None:
    verdict = judge(GOOD, AT)
    assert verdict.result is Result.VALID
    assert {check.outcome for check in verdict.checks} == {Outcome.PASSED}
    assert verdict.sentence == "The credential is genuine, unaltered and in force."


def test_given_a_stranger_then_valid_but_not_recognised() -> None:
    verdict = judge(replace(GOOD, registry=Registry()), AT)
    assert verdict.result is Result.VALID
    assert outcome(verdict, "issuer recognised") is Outcome.UNKNOWN
    assert "does not know" in verdict.sentence


def test_given_an_impostor_then_the_borrowed_name_is_not_shown_as_recognised() -> None:
    impostor = replace(GOOD_PROOF, verification_method=f"{STRANGER}#key", key=KeyFacts(STRANGER))
    verdict = judge(with_proofs(impostor), AT)
    assert verdict.result is Result.INVALID
    assert outcome(verdict, "key belongs to issuer") is Outcome.FAILED
    assert outcome(verdict, "issuer recognised") is Outcome.SKIPPED
    assert "North College" not in str(verdict_json(verdict))


def test_given_a_broken_signature_then_nothing_the_document_says_is_looked_at() -> None:
    expired = replace(GOOD_DOCUMENT, proofs=(replace(GOOD_PROOF, signature=FAULT),), valid_until=AT)
    verdict = judge(replace(GOOD, document=expired), AT + timedelta(days=9))
    assert [check.outcome for check in verdict.checks[3:]] == [Outcome.SKIPPED] * 5


def test_given_a_strangers_proof_that_cannot_be_checked_then_the_issuers_own_suffices() -> None:
    witness = replace(GOOD_PROOF, verification_method=f"{STRANGER}#key", key=None, signature=DOUBT)
    for order in ((GOOD_PROOF, witness), (witness, GOOD_PROOF)):
        verdict = judge(with_proofs(*order), AT)
        assert verdict.result is Result.VALID
        assert "could not be checked: 1" in verdict.checks[2].sentence


def test_given_two_keys_of_the_issuer_then_one_that_satisfies_suffices() -> None:
    withdrawn = replace(GOOD_PROOF, key=KeyFacts(ISSUER, ends_at=AT))
    assert judge(with_proofs(withdrawn), AT).result is Result.INVALID
    assert judge(with_proofs(withdrawn, GOOD_PROOF), AT).result is Result.VALID


def test_given_a_signature_made_before_the_key_then_invalid() -> None:
    early = replace(GOOD_PROOF, key=KeyFacts(ISSUER, valid_from=AT - timedelta(hours=1)))
    assert outcome(judge(with_proofs(early), AT), "key belongs to issuer") is Outcome.FAILED


@pytest.mark.parametrize(
    ("compromised", "last_good", "code"),
    [(False, CLOCK_SKEW, "INVALID_VERIFICATION_METHOD"), (True, -TICK, "KEY_COMPROMISED")],
)
def test_given_a_key_that_ended_then_what_it_signed_before_stays_good_for_ever(
    compromised: bool, last_good: timedelta, code: str
) -> None:
    end = AT - timedelta(days=5)
    key = KeyFacts(ISSUER, signs_until=end, compromised=compromised)
    for created, expected in ((end + last_good, None), (end + last_good + TICK, code), (None, code)):
        verdict = judge(with_proofs(replace(GOOD_PROOF, created=created, key=key)), AT)
        found = next(check for check in verdict.checks if check.name == "key belongs to issuer")
        assert found.code == expected
        assert (verdict.result is Result.INVALID) is (expected is not None)
        if expected is not None:
            assert f"on {end:%Y-%m-%d}" in verdict.sentence


@pytest.mark.parametrize(
    ("member", "name", "late"),
    [("valid_from", "in force", CLOCK_SKEW), ("valid_until", "not expired", -CLOCK_SKEW)],
)
def test_clocks_may_differ_by_the_skew_and_no_more(member: str, name: str, late: timedelta) -> None:
    tick = timedelta(milliseconds=1 if late > timedelta() else -1)
    for moment, expected in ((AT + late, Outcome.PASSED), (AT + late + tick, Outcome.FAILED)):
        document = replace(GOOD_DOCUMENT, **{member: moment})
        assert outcome(judge(replace(GOOD, document=document), AT), name) is expected


def test_the_json_form_is_stable() -> None:
    told = verdict_json(judge(GOOD, AT))
    assert list(told) == [
        "verdict",
        "sentence",
        "at",
        "issuer",
        "checks",
        "statuses",
        "recognitions",
    ]
    assert told["at"] == "2026-06-01T12:00:00.000Z"
    assert told["issuer"] == ISSUER
    assert told["checks"][0] == {
        "name": "parsed",
        "outcome": "passed",
        "code": None,
        "type": None,
        "sentence": "It is a well-formed credential.",
    }
    assert told["statuses"] == [{"purpose": "revocation", "status": 0, "valid": True, "message": None}]
    assert told["recognitions"] == [
        {"name": "North College", "since": "2026-05-02T12:00:00.000Z", "source": "this installation"}
    ]
