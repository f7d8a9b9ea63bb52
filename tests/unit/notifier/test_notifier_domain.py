"""What the notifier decides, given–when–then, without a database or a clock."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.domain import (
    ATTEMPTS_MAX,
    CLOCK_SKEW_S_MAX,
    WAITS_S,
    Attempt,
    Fact,
    Listener,
    Notification,
    Stage,
    decide_outcome,
    decide_request,
    evolve,
    next_attempt_at,
    notification_id,
    notifications_of,
    used_up,
)
from services.notifier.outcomes import ENDPOINT_GONE, Delivered, GiveUp, TryLater
from shared.contracts.notifications import NotificationGaveUp, NotificationSent

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
EVENT = uuid.UUID("018f3d70-0000-7000-8000-000000000001")
CREDENTIAL, LEARNER, ONE, OTHER = (str(uuid.UUID(int=number)) for number in (1, 2, 3, 4))
SIGNED = Fact("credential.signed", EVENT, CREDENTIAL, LEARNER, AT)
BOTH = frozenset({"credential.signed", "credential.revoked"})
REQUESTED = Notification("requested")
FIRST = Attempt(notification_id(EVENT, "mail"), 1, ATTEMPTS_MAX, current=True)
LAST = replace(FIRST, attempts=ATTEMPTS_MAX)


def listener(subscription_id: str, events: frozenset[str] = BOTH, since: datetime = AT) -> Listener:
    return Listener(subscription_id, events, since)


def test_a_fact_is_told_to_the_learner_and_to_every_listener_who_wants_it() -> None:
    wanted = notifications_of(
        SIGNED, True, [listener(ONE), listener(OTHER, frozenset({"credential.revoked"}))], AT
    )
    assert [(each.channel, each.subscription_id) for each in wanted] == [("mail", None), ("webhook", ONE)]
    assert {each.about for each in wanted} == {"credential.signed"}


def test_a_learner_without_a_key_gets_no_letter() -> None:
    assert [each.channel for each in notifications_of(SIGNED, False, [listener(ONE)], AT)] == ["webhook"]


@pytest.mark.parametrize(("later_s", "hears"), [(CLOCK_SKEW_S_MAX, True), (CLOCK_SKEW_S_MAX + 1, False)])
def test_a_listener_hears_of_nothing_older_than_its_subscription_but_for_the_skew_of_clocks(
    later_s: int, hears: bool
) -> None:
    late = listener(ONE, since=AT + timedelta(seconds=later_s))
    assert bool(notifications_of(SIGNED, False, [late], AT)) is hears


def test_ids_derive_from_fact_channel_and_subscription_alone() -> None:
    ids = [
        notification_id(EVENT, "mail"),
        notification_id(EVENT, "webhook", ONE),
        notification_id(EVENT, "webhook", OTHER),
        notification_id(uuid.UUID(int=5), "mail"),
    ]
    assert len(set(ids)) == 4
    assert ids[0] == str(uuid.uuid5(EVENT, "mail"))
    assert ids[1] == str(uuid.uuid5(EVENT, f"webhook:{ONE}"))


@pytest.mark.parametrize(
    ("stage", "asks"), [("unknown", True), ("requested", False), ("sent", False), ("gave-up", False)]
)
def test_a_notification_is_asked_for_once(stage: Stage, asks: bool) -> None:
    [wanted] = notifications_of(SIGNED, True, [], AT)
    assert decide_request(Notification(stage), wanted) == ([wanted] if asks else [])


def test_a_stream_is_requested_then_sent_or_given_up() -> None:
    [wanted] = notifications_of(SIGNED, True, [], AT)
    asked = evolve(Notification(), wanted)
    [sent] = decide_outcome(asked, FIRST, Delivered(), AT)
    [gave_up] = decide_outcome(asked, FIRST, GiveUp("recipient-refused-550"), AT)
    assert evolve(asked, sent) == Notification("sent")
    assert evolve(asked, gave_up) == Notification("gave-up")
    assert isinstance(sent, NotificationSent)
    assert sent.attempts == 1
    assert isinstance(gave_up, NotificationGaveUp)
    assert gave_up.reason == "recipient-refused-550"


def test_what_was_sent_stays_sent_whatever_a_later_attempt_says() -> None:
    for outcome in (Delivered(), TryLater("http-500"), ENDPOINT_GONE):
        assert decide_outcome(Notification("sent"), LAST, outcome, AT) == []


def test_an_attempt_that_will_be_repeated_says_nothing_and_the_last_one_gives_up() -> None:
    assert decide_outcome(REQUESTED, FIRST, TryLater("http-500"), AT) == []
    [gave_up] = decide_outcome(REQUESTED, LAST, TryLater("http-500"), AT)
    assert isinstance(gave_up, NotificationGaveUp)
    assert (gave_up.attempts, gave_up.reason) == (ATTEMPTS_MAX, "http-500")


def test_an_attempt_that_was_taken_over_decides_only_if_it_got_through() -> None:
    late = replace(LAST, current=False)
    assert decide_outcome(REQUESTED, late, TryLater("http-500"), AT) == []
    assert decide_outcome(REQUESTED, late, GiveUp("http-400"), AT) == []
    assert len(decide_outcome(REQUESTED, late, Delivered(), AT)) == 1


def test_a_delivery_that_was_given_up_can_still_arrive_when_it_is_asked_for_again() -> None:
    asked_again = Attempt(FIRST.notification_id, ATTEMPTS_MAX + 1, ATTEMPTS_MAX + 1, current=True)
    [sent] = decide_outcome(Notification("gave-up"), asked_again, Delivered(), AT)
    assert isinstance(sent, NotificationSent)


def test_the_schedule_is_that_of_standard_webhooks_with_little_jitter() -> None:
    assert WAITS_S == (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    for attempts, wait_s in enumerate(WAITS_S[1:], start=1):
        again = next_attempt_at(replace(FIRST, attempts=attempts), TryLater("http-500"), AT)
        assert again is not None
        assert wait_s <= (again - AT).total_seconds() < wait_s * 1.1
    assert next_attempt_at(LAST, TryLater("http-500"), AT) is None


@given(st.uuids(), st.integers(1, ATTEMPTS_MAX - 1))
def test_the_jitter_of_one_notification_is_always_the_same(identifier: uuid.UUID, attempts: int) -> None:
    attempt = Attempt(str(identifier), attempts, ATTEMPTS_MAX, current=True)
    first, second = (next_attempt_at(attempt, TryLater("http-500"), AT) for _ in range(2))
    assert first == second
    assert first is not None
    assert first > AT


def test_notifications_that_failed_together_do_not_come_back_together() -> None:
    moments = {
        next_attempt_at(Attempt(str(uuid.UUID(int=n)), 3, ATTEMPTS_MAX, True), TryLater("http-500"), AT)
        for n in range(50)
    }
    assert len(moments) == 50


@pytest.mark.parametrize(("asked_s", "waits_s"), [(7200, 7200), (0, 5)])
def test_a_receiver_may_ask_for_a_longer_wait_but_not_for_a_shorter_one(asked_s: int, waits_s: int) -> None:
    again = next_attempt_at(FIRST, TryLater("http-429", asked_s), AT)
    assert again is not None
    assert again - AT >= timedelta(seconds=waits_s)


def test_attempts_that_never_came_back_are_counted_too() -> None:
    assert used_up(LAST) is None
    assert used_up(replace(LAST, attempts=ATTEMPTS_MAX + 1)) == GiveUp("attempts-used-up")
