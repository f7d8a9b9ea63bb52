"""Given what happened, when somebody asks, then these events: the issuer's decisions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.issuer import domain
from services.issuer.domain import Credential, IssuePlan, Making, Signing
from shared.contracts.achievements import AchievementPublished, SecondPass
from shared.contracts.assessments import AssessmentPassed
from shared.contracts.credentials import (
    CredentialRevoked,
    CredentialSigned,
    MadeProof,
    MadeToken,
    PlannedToken,
)
from shared.contracts.event import Event
from shared.contracts.issuers import ApiKeyCreated, IssuerPublished
from shared.errors import Conflict, Invalid, NotFound, Rejected
from tests.unit.issuer.samples import ACHIEVEMENT_ID, DEFINITION, DID, ISSUED, PROFILE

AT = ISSUED.created + timedelta(hours=1)
OTHER_ID = "7f3c0000-0000-8000-8000-0000000000c2"
SIGNING = Signing(
    proofs=(MadeProof(id=ISSUED.proofs[0].id, cryptosuite="eddsa-rdfc-2022", proof_value="z1"),),
    tokens=(MadeToken(form="vc+jwt", key_id=ISSUED.key_id, signature="c2ln", sha256="1" * 64),),
    document_sha256="0" * 64,
    achievement_name="A",
    issuer_name="B",
    contact="-",
)
PASSED = AssessmentPassed(
    assessment_id=ISSUED.assessment_id,
    learner_id=ISSUED.learner_id,
    achievement_id=ACHIEVEMENT_ID,
    achievement_version=2,
    assessed_at=ISSUED.awarded_at,
    sealed="-",
)
MAKING = Making(1, ISSUED.key_id, 1, ISSUED.contexts, ISSUED.proofs, (PlannedToken(form="vc+jwt"),))


def signed() -> Credential:
    """A credential that was issued and signed."""
    state = Credential(ISSUED)
    (event,) = domain.decide_sign(state, SIGNING, AT)
    evolved = domain.evolve(state, event)
    assert evolved is not None
    return evolved


def revoked(state: Credential) -> Credential:
    """The same, withdrawn."""
    (event,) = domain.decide_revoke(state, "misconduct", AT)
    evolved = domain.evolve(state, event)
    assert evolved is not None
    return evolved


def test_a_first_pass_is_issued() -> None:
    assert domain.plan_issue(issued=False, held=None, policy=SecondPass.IGNORE) == IssuePlan()


@pytest.mark.parametrize("policy", list(SecondPass))
def test_an_assessment_that_has_its_credential_gets_no_other(policy: SecondPass) -> None:
    assert domain.plan_issue(issued=True, held=None, policy=policy) is None
    assert domain.plan_issue(issued=True, held=OTHER_ID, policy=policy) is None


def test_what_a_second_pass_does_is_the_achievements_policy() -> None:
    plans = {policy: domain.plan_issue(issued=False, held=OTHER_ID, policy=policy) for policy in SecondPass}
    assert plans == {
        SecondPass.IGNORE: None,
        SecondPass.SUPERSEDE: IssuePlan(supersedes=OTHER_ID),
        SecondPass.ISSUE_AGAIN: IssuePlan(),
    }


def issue(validity_days: int | None) -> domain.CredentialIssued:
    """The intent of PASSED at AT."""
    (event,) = domain.decide_issue(
        IssuePlan(),
        PASSED,
        credential_id=ISSUED.credential_id,
        making=MAKING,
        status=ISSUED.status,
        sealed="-",
        validity_days=validity_days,
        at=AT,
    )
    return event


def test_the_intent_pins_everything_that_decides_the_bytes() -> None:
    event = issue(validity_days=10)
    assert event.created == event.valid_from == AT
    assert event.valid_until == AT + timedelta(days=10)
    assert event.awarded_at == PASSED.assessed_at
    assert (event.key_id, event.renderer, event.profile_version) == (ISSUED.key_id, 1, 1)
    assert event.tokens == MAKING.tokens
    assert (event.contexts, event.proofs, event.status) == (ISSUED.contexts, ISSUED.proofs, ISSUED.status)


def test_without_a_validity_a_credential_never_ends() -> None:
    assert issue(validity_days=None).valid_until is None


def test_an_issued_credential_is_signed_once() -> None:
    (event,) = domain.decide_sign(Credential(ISSUED), SIGNING, AT)
    assert event.signed_at == AT
    assert event.key_id == ISSUED.key_id
    assert event.tokens == SIGNING.tokens
    assert domain.decide_sign(signed(), SIGNING, AT) == []


def test_a_credential_that_was_revoked_first_is_not_signed() -> None:
    assert domain.decide_sign(revoked(Credential(ISSUED)), SIGNING, AT) == []


@pytest.mark.parametrize("state", [Credential(ISSUED), signed()], ids=["unsigned", "signed"])
def test_a_credential_is_revoked_once_and_names_its_bit(state: Credential) -> None:
    (event,) = domain.decide_revoke(state, "misconduct", AT)
    assert (event.status, event.reason, event.learner_id) == (ISSUED.status, "misconduct", ISSUED.learner_id)
    assert domain.decide_revoke(revoked(state), "superseded", AT) == []


def test_an_unknown_credential_cannot_be_revoked() -> None:
    with pytest.raises(NotFound):
        domain.decide_revoke(None, "misconduct", AT)


@given(st.lists(st.sampled_from(["sign", "revoke"]), max_size=20))
@settings(max_examples=200)
def test_whatever_is_asked_in_whatever_order_each_step_happens_at_most_once(steps: list[str]) -> None:
    state: Credential | None = Credential(ISSUED)
    happened: list[Event] = []
    for step in steps:
        assert state is not None
        events: list[domain.CredentialSigned] | list[domain.CredentialRevoked]
        if step == "sign":
            events = domain.decide_sign(state, SIGNING, AT)
        else:
            events = domain.decide_revoke(state, "misconduct", AT)
        for event in events:
            happened.append(event)
            state = domain.evolve(state, event)
    kinds = [type(event) for event in happened]
    assert kinds.count(CredentialSigned) <= 1
    assert kinds.count(CredentialRevoked) <= 1
    assert kinds != [CredentialRevoked, CredentialSigned]


def test_a_list_version_follows_the_last() -> None:
    (event,) = domain.decide_list_version(4, ISSUED.status.list_id, "{}", AT, AT + timedelta(days=1))
    assert (event.version, event.published_at) == (5, AT)


def published(version: int = 1) -> AchievementPublished:
    return AchievementPublished(
        achievement_id=ACHIEVEMENT_ID, version=version, definition=DEFINITION, published_at=AT
    )


OTHER = DEFINITION.model_copy(update={"name": "Another name"})


def test_an_achievement_is_published_once_and_then_in_versions() -> None:
    (first,) = domain.decide_publish_achievement([], ACHIEVEMENT_ID, DEFINITION, first=True, at=AT)
    (second,) = domain.decide_publish_achievement([first], ACHIEVEMENT_ID, OTHER, first=False, at=AT)
    assert (first.version, second.version) == (1, 2)


def test_the_same_achievement_again_publishes_nothing() -> None:
    history = [published()]
    assert domain.decide_publish_achievement(history, ACHIEVEMENT_ID, DEFINITION, first=True, at=AT) == []
    assert domain.decide_publish_achievement(history, ACHIEVEMENT_ID, DEFINITION, first=False, at=AT) == []


def test_an_id_in_use_for_other_content_is_a_conflict() -> None:
    with pytest.raises(Conflict):
        domain.decide_publish_achievement([published()], ACHIEVEMENT_ID, OTHER, first=True, at=AT)


def test_a_version_needs_a_first() -> None:
    with pytest.raises(NotFound):
        domain.decide_publish_achievement([], ACHIEVEMENT_ID, DEFINITION, first=False, at=AT)


def test_a_rubric_that_contradicts_itself_is_refused_with_every_reason() -> None:
    criterion = DEFINITION.rubric.criteria[0]
    level = criterion.levels[0].model_copy(update={"points": 0})
    broken = criterion.model_copy(update={"levels": (level, level)})
    rubric = DEFINITION.rubric.model_copy(update={"criteria": (broken, broken)})
    definition = DEFINITION.model_copy(update={"rubric": rubric, "tags": ("a", "a"), "outcomes": ("o", "o")})
    with pytest.raises(Invalid) as refusal:
        domain.decide_publish_achievement([], ACHIEVEMENT_ID, definition, first=True, at=AT)
    found = "\n".join(refusal.value.reasons)
    for part in ("two criteria", "two levels", "no level gives a point", "tags", "outcomes"):
        assert part in found


def test_an_issuer_is_made_once_and_its_profile_has_versions() -> None:
    (first,) = domain.decide_create_issuer(None, "oslo", DID, PROFILE, AT)
    assert domain.decide_create_issuer(first, "oslo", "did:web:other", PROFILE, AT) == []
    other = PROFILE.model_copy(update={"name": "Oslo"})
    with pytest.raises(Conflict):
        domain.decide_create_issuer(first, "oslo", DID, other, AT)
    (second,) = domain.decide_publish_profile(first, {"name": other.name}, AT)
    assert second == IssuerPublished(slug="oslo", did=DID, profile_version=2, profile=other, published_at=AT)
    assert domain.decide_publish_profile(second, {"name": other.name}, AT) == []
    with pytest.raises(NotFound):
        domain.decide_publish_profile(None, {}, AT)


def test_an_api_key_ends_once() -> None:
    created = ApiKeyCreated(
        prefix="abcd1234", sha256="0" * 64, label="", scopes=(), created_at=AT, expires_at=AT
    )
    (revoked_key,) = domain.decide_revoke_api_key([created], "abcd1234", AT)
    assert domain.decide_revoke_api_key([created, revoked_key], "abcd1234", AT) == []
    with pytest.raises(Rejected):
        domain.decide_revoke_api_key([], "abcd1234", AT)
