"""Posted credentials without I/O: what may be posted, what is added, and that each step happens once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from services.issuer import posted_rules
from services.issuer.documents.posted import Content, Poster, content
from services.issuer.posted_rules import Posted, demand_postable, name_of
from shared.contracts.credentials import StatusEntry
from shared.contracts.event import Event
from shared.contracts.posted import PostedCredentialIssued
from shared.errors import Invalid
from shared.proofs.contexts import CREDENTIALS_V2, OPEN_BADGES_V3
from tests.contract.event_samples import SAMPLES
from tests.unit.issuer.samples import ADDRESSES, DID, PROFILE

AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
PLACE = StatusEntry(list_id="01957c3e-2f00-7000-8000-000000000002", index=7)
POSTER = Poster(ADDRESSES, "oslo", DID, PROFILE)
HERE = "https://badges.example.edu"


def lived(*events: Event) -> Posted:
    """A posted credential after its intent and `events`."""
    issued = next(sample for sample in SAMPLES if isinstance(sample, PostedCredentialIssued))
    state = posted_rules.posted_of([issued, *events])
    assert state is not None
    return state


@pytest.mark.parametrize("issuer", [DID, {"id": DID}, {"id": DID, "name": "Oslo"}])
def test_a_credential_may_name_its_own_issuer_in_either_form_or_none(issuer: Any) -> None:
    demand_postable({"issuer": issuer}, DID)
    demand_postable({}, DID)


@pytest.mark.parametrize("issuer", [f"{DID}2", {"id": f"{DID}2"}, {"name": "Oslo"}, None, [DID], 7, ""])
def test_any_other_issuer_is_refused(issuer: Any) -> None:
    with pytest.raises(Invalid) as refusal:
        demand_postable({"issuer": issuer}, DID)
    assert refusal.value.code == "issuer-foreign"


def test_proofs_and_status_are_the_issuers_to_add() -> None:
    with pytest.raises(Invalid) as refusal:
        demand_postable({"proof": [], "credentialStatus": None}, DID)
    assert len(refusal.value.reasons) == 2


def test_the_id_names_a_credential_and_the_option_one_without_id() -> None:
    assert name_of({"id": "urn:a"}, None, HERE) == "urn:a"
    assert name_of({"id": "urn:a"}, "urn:a", HERE) == "urn:a"
    assert name_of({}, "row 17", HERE) == "row 17"
    assert name_of({}, None, HERE) is None


@pytest.mark.parametrize(
    ("named", "option"),
    [
        ({"id": "urn:a"}, "urn:b"),
        ({"id": ""}, None),
        ({}, "x" * 2_049),
        ({"id": f"{HERE}/credentials/1"}, None),
        ({}, f"{HERE}/status/1#1"),
    ],
)
def test_a_name_that_misleads_is_refused(named: dict[str, str], option: str | None) -> None:
    with pytest.raises(Invalid):
        name_of(named, option, HERE)


def test_what_is_missing_is_added_and_nothing_else_is_touched() -> None:
    posted: Any = {"@context": [CREDENTIALS_V2], "type": ["VerifiableCredential"]}
    whole = content(posted, POSTER, PLACE, AT)
    assert whole.document.keys() - posted.keys() == {"issuer", "validFrom", "credentialStatus"}
    assert whole.document["issuer"] == DID
    full = {**posted, "issuer": {"id": DID}, "validFrom": "2020-01-01T00:00:00Z"}
    assert content(full, POSTER, PLACE, AT).added.keys() == {"credentialStatus"}


def test_an_open_badge_is_given_the_profile_that_its_schema_asks_for() -> None:
    posted: Any = {"@context": [CREDENTIALS_V2, OPEN_BADGES_V3]}
    issuer = content(posted, POSTER, PLACE, AT).document["issuer"]
    assert isinstance(issuer, dict)
    assert (issuer["id"], issuer["name"]) == (DID, PROFILE.name)


def test_content_is_compared_whatever_the_order_of_members_and_survives_its_sealing() -> None:
    posted: Any = {"id": "urn:a", "credentialSubject": {"x": 1.0, "y": [1, True]}}
    whole = content(posted, POSTER, PLACE, AT)
    assert Content.from_json(whole.to_json()) == whole
    assert whole.holds({"credentialSubject": {"y": [1, True], "x": 1.0}, "id": "urn:a"})
    assert not whole.holds({"credentialSubject": {"y": [True, 1], "x": 1.0}, "id": "urn:a"})
    assert not whole.holds({"credentialSubject": {"y": [1, 1], "x": 1.0}, "id": "urn:a"})
    assert not whole.holds({"id": "urn:a"})


def test_each_step_happens_once_and_none_before_its_time() -> None:
    signed = posted_rules.decide_sign_posted(lived(), "sealed", AT)
    revoked = posted_rules.decide_revoke_posted(lived(), "misconduct", AT)
    forgotten = posted_rules.decide_forget_posted(lived(), AT)
    assert (len(signed), len(revoked), len(forgotten)) == (1, 1, 1)
    assert revoked[0].status == lived().issued.status
    for ended in (signed, revoked, forgotten):
        assert not posted_rules.decide_sign_posted(lived(*ended), "sealed", AT)
    assert not posted_rules.decide_revoke_posted(lived(*revoked), "superseded", AT)
    assert not posted_rules.decide_forget_posted(lived(*forgotten), AT)
    assert posted_rules.decide_revoke_posted(lived(*signed, *forgotten), "misconduct", AT)
    assert posted_rules.posted_of([]) is None
