"""Which key signs, when a new one begins and how one ends: decisions about signing keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.issuer.key_rules import (
    PublishedKey,
    decide_retire_key,
    demand_signable,
    first_to_sign,
    first_use,
    signing_key,
)
from shared.errors import Conflict, Invalid, NotFound, Rejected
from shared.key_kinds import KeyKind
from tests.unit.issuer.samples import DID

AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(milliseconds=1)
ED25519, P256, RSA = KeyKind
DID_KEY = "did:key:z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"


def key(name: str, valid_from: datetime) -> PublishedKey:
    """A key that was published a day before it signs."""
    return PublishedKey(f"{DID}#{name}", name, valid_from - DAY, valid_from)


OLD, NEW = key("z6MkOld", AT - 90 * DAY), key("z6MkNew", AT)


def test_the_old_key_signs_to_the_very_moment_at_which_the_new_one_begins() -> None:
    assert signing_key([OLD, NEW], AT - TICK, ED25519) is OLD
    assert signing_key([OLD, NEW], AT, ED25519) is NEW
    assert signing_key([NEW, OLD], AT, ED25519) is NEW


def test_a_retired_key_begins_nothing_and_the_next_newest_takes_its_place() -> None:
    for reason in ("superseded", "compromised"):
        (event,) = decide_retire_key(DID, [OLD, NEW], "z6MkNew", reason, since=None, at=AT + DAY)
        ended = replace(NEW, ends_at=event.ends_at, retired_as=event.reason)
        assert signing_key([OLD, ended], AT + DAY, ED25519) is OLD
        assert signing_key([OLD, ended], AT, ED25519) is OLD, (
            "whatever the moment: what is begun is begun now"
        )


def test_where_this_clock_is_behind_the_first_to_sign_signs() -> None:
    ended = replace(OLD, ends_at=AT, retired_as="superseded")
    later = key("z6MkLater", AT + DAY)
    assert signing_key([ended, NEW, later], AT - TICK, ED25519) is None
    assert first_to_sign([ended, NEW, later], ED25519) is NEW


def test_a_new_key_signs_after_the_overlap_or_at_once() -> None:
    assert first_use(DID, [OLD], ED25519, overlap=DAY, at_once=False, at=AT) == AT + DAY
    assert first_use(DID, [OLD], ED25519, overlap=DAY, at_once=True, at=AT) == AT


def test_one_new_key_waits_at_a_time_but_nothing_keeps_one_at_once() -> None:
    with pytest.raises(Conflict) as refusal:
        first_use(DID, [OLD, NEW], ED25519, overlap=DAY, at_once=False, at=AT - TICK)
    assert refusal.value.code == "signing-key-waiting"
    assert "2026-03-01 09:00 UTC" in refusal.value.message
    assert first_use(DID, [OLD, NEW], ED25519, overlap=DAY, at_once=True, at=AT - TICK) == AT - TICK
    assert first_use(DID, [OLD, NEW], ED25519, overlap=DAY, at_once=False, at=AT) == AT + DAY
    given_up = replace(NEW, ends_at=AT - DAY, retired_as="superseded")
    again = first_use(DID, [OLD, given_up], ED25519, overlap=DAY, at_once=False, at=AT - TICK)
    assert again == AT + DAY - TICK


def test_an_issuer_that_is_its_key_keeps_it() -> None:
    own = PublishedKey(f"{DID_KEY}#z6MkOld", "z6MkOld", AT, AT)
    with pytest.raises(Conflict, match="did-key-fixed"):
        first_use(DID_KEY, [own], ED25519, overlap=DAY, at_once=True, at=AT)
    with pytest.raises(Conflict, match="did-key-fixed"):
        decide_retire_key(DID_KEY, [own], "z6MkOld", "compromised", since=None, at=AT)


def test_a_superseded_key_ends_now_and_a_compromised_one_when_it_was_lost() -> None:
    (event,) = decide_retire_key(DID, [OLD, NEW], "z6MkOld", "superseded", since=AT - DAY, at=AT)
    assert (event.reason, event.ends_at, event.retired_at) == ("superseded", AT, AT)
    assert (event.key_id, event.did) == (OLD.key_id, DID)
    (event,) = decide_retire_key(DID, [OLD, NEW], "z6MkOld", "compromised", since=AT - DAY, at=AT)
    assert (event.reason, event.ends_at, event.retired_at) == ("compromised", AT - DAY, AT)
    (event,) = decide_retire_key(DID, [OLD, NEW], "z6MkOld", "compromised", since=None, at=AT)
    assert event.ends_at == AT


@pytest.mark.parametrize("reason", ["superseded", "compromised"])
def test_the_last_key_that_signs_is_not_retired(reason: str) -> None:
    for keys, at in (([OLD], AT), ([OLD, NEW], AT - TICK)):
        with pytest.raises(Conflict) as refusal:
            decide_retire_key(DID, keys, "z6MkOld", reason, since=None, at=at)  # type: ignore[arg-type]
        assert refusal.value.code == "signing-key-needed"
        assert "rotate" in refusal.value.message


def test_an_unknown_key_and_an_end_to_come_are_refused() -> None:
    with pytest.raises(NotFound):
        decide_retire_key(DID, [OLD, NEW], "z6MkOther", "superseded", since=None, at=AT)
    with pytest.raises(Invalid):
        decide_retire_key(DID, [OLD, NEW], "z6MkOld", "compromised", since=AT + TICK, at=AT)


def test_an_end_is_told_once_and_only_ever_moves_to_an_earlier_moment() -> None:
    superseded = replace(OLD, ends_at=AT, retired_as="superseded")
    keys = [superseded, NEW]
    later = AT + DAY
    assert decide_retire_key(DID, keys, "z6MkOld", "superseded", since=None, at=later) == []
    (found,) = decide_retire_key(DID, keys, "z6MkOld", "compromised", since=None, at=later)
    assert found.ends_at == AT, "it had ended before"
    compromised = replace(OLD, ends_at=AT, retired_as="compromised")
    keys = [compromised, NEW]
    assert decide_retire_key(DID, keys, "z6MkOld", "superseded", since=None, at=later) == []
    assert decide_retire_key(DID, keys, "z6MkOld", "compromised", since=AT, at=later) == []
    (earlier,) = decide_retire_key(DID, keys, "z6MkOld", "compromised", since=AT - DAY, at=later)
    assert earlier.ends_at == AT - DAY
    with pytest.raises(Conflict, match="signing-key-compromised"):
        decide_retire_key(DID, keys, "z6MkOld", "compromised", since=AT + TICK, at=later)


def test_what_nobody_would_believe_is_not_signed() -> None:
    demand_signable(OLD, AT)
    demand_signable(replace(OLD, ends_at=AT - DAY, retired_as="superseded"), AT)
    compromised = replace(OLD, ends_at=AT, retired_as="compromised")
    demand_signable(compromised, AT - TICK)
    with pytest.raises(Invalid, match="signing-key-compromised"):
        demand_signable(compromised, AT)


LETTERS = {ED25519: "z6Mk", P256: "zDn", RSA: "z4MX"}


def test_every_kind_has_its_own_course() -> None:
    p256, waiting = key("zDnOld", AT - 90 * DAY), key("zDnNew", AT + DAY)
    keys = [OLD, p256, NEW, waiting]
    assert [each.kind for each in keys] == [ED25519, P256, ED25519, P256]
    assert signing_key(keys, AT, P256) is p256
    assert signing_key(keys, AT, RSA) is first_to_sign(keys, RSA) is None
    assert first_use(DID, keys, RSA, overlap=DAY, at_once=False, at=AT) == AT + DAY
    with pytest.raises(Conflict, match="A new P-256 key is published already"):
        first_use(DID, keys, P256, overlap=DAY, at_once=False, at=AT)
    with pytest.raises(Conflict, match="rotate --kind P-256"):
        decide_retire_key(DID, keys, "zDnOld", "superseded", since=None, at=AT)
    assert decide_retire_key(DID, keys, "zDnOld", "superseded", since=None, at=AT + DAY)


def test_a_key_is_named_by_its_id_and_not_by_its_letters() -> None:
    named = PublishedKey(f"{DID}#thumbprint", "z4MXwhole", AT - DAY, AT)
    other = PublishedKey(f"{DID}#other", "z4MXother", AT - DAY, AT)
    (event,) = decide_retire_key(DID, [named, other], "thumbprint", "superseded", since=None, at=AT)
    assert (event.key_id, event.public_key_multibase) == (named.key_id, "z4MXwhole")
    assert event.stream == "issuer-key-thumbprint"


commands = st.lists(
    st.tuples(
        st.sampled_from(["rotate", "at once", "superseded", "compromised"]),
        st.sampled_from(list(KeyKind)),
        st.integers(0, 8),
        st.integers(0, 72),
    ),
    max_size=40,
)


@given(commands)
def test_whatever_an_operator_does_a_kind_that_signs_goes_on_signing(
    course: list[tuple[str, KeyKind, int, int]],
) -> None:
    def made(kind: KeyKind, begins: datetime) -> PublishedKey:
        name = f"{LETTERS[kind]}{len(keys)}"
        return PublishedKey(f"{DID}#{name}", name, at, begins)

    at, keys = AT, list[PublishedKey]()
    keys.append(made(ED25519, AT))
    signed = {ED25519}
    for what, kind, number, hours in course:
        at += timedelta(hours=hours)
        try:
            if what in ("rotate", "at once"):
                begins = first_use(DID, keys, kind, overlap=DAY, at_once=what == "at once", at=at)
                keys.append(made(kind, begins))
            elif number < len(keys):
                named = keys[number].name
                for event in decide_retire_key(DID, keys, named, what, since=at - DAY, at=at):  # type: ignore[arg-type]
                    keys[number] = replace(keys[number], ends_at=event.ends_at, retired_as=event.reason)
        except Rejected:
            pass
        for each in signed:
            found = signing_key(keys, at, each)
            assert found is not None
            assert found.signs_at(at)
        signed |= {each for each in KeyKind if signing_key(keys, at, each) is not None}
