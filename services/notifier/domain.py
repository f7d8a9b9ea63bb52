"""What the notifier decides: who is told of a fact, when an attempt is repeated, and when to stop.

A notification's id derives from the fact and the channel, so that a fact heard twice asks for nothing new,
and every attempt is an attempt at the same thing. Refused: telling anyone of what happened well before they
subscribed (a lane that reads history again must not pour it out), and a second end for what was delivered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple
from uuid import UUID

import uuid_utils

from services.notifier.outcomes import Delivered, GiveUp, Outcome, TryLater
from shared.contracts.event import Event
from shared.contracts.notifications import NotificationGaveUp, NotificationRequested, NotificationSent

Channel = Literal["mail", "webhook"]
About = Literal["credential.signed", "credential.revoked"]
Stage = Literal["unknown", "requested", "sent", "gave-up"]

WAITS_S: Final = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""The wait before each attempt, counted from the one before: the schedule of Standard Webhooks."""
ATTEMPTS_MAX: Final = len(WAITS_S)
JITTER_SHARE_MAX: Final = 0.1
CLOCK_SKEW_S_MAX: Final = 300


class Fact(NamedTuple):
    """Something that happened to a credential; `at` is when its event was recorded."""

    about: About
    event_id: UUID
    credential_id: str
    learner_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Listener:
    """An active subscription of the fact's tenant."""

    subscription_id: str
    events: frozenset[str]
    since: datetime


@dataclass(frozen=True, slots=True)
class CredentialFacts:
    """What a message may say about a credential. `contact` is sealed for the stream of the credential."""

    credential_id: str
    learner_id: str
    achievement_id: str
    achievement_version: int
    achievement_name: str
    issuer_name: str
    contact: str
    signed_at: datetime
    revoked_at: datetime | None
    revocation_reason: str | None


class Notification(NamedTuple):
    """How far a notification has come."""

    stage: Stage = "unknown"


@dataclass(frozen=True, slots=True)
class Attempt:
    """The `attempts`-th attempt of at most `attempts_max`.

    `current` is False when its lease ran out and the delivery was taken again meanwhile: another attempt
    decides then, unless this one got through.
    """

    notification_id: str
    attempts: int
    attempts_max: int
    current: bool


WORDING: Final = 1
"""The wording that new notifications are made with; services/notifier/messages.py knows them all."""
UNKNOWN: Final = Notification()
"""A notification that nobody has asked for yet."""


def evolve(state: Notification, event: Event) -> Notification:
    """Apply one event of the stream `notification-{id}`."""
    match event:
        case NotificationRequested():
            return state._replace(stage="requested")
        case NotificationSent():
            return state._replace(stage="sent")
        case NotificationGaveUp():
            return state._replace(stage="gave-up")
        case _:
            return state


def notification_id(event_id: UUID, channel: Channel, subscription_id: str | None = None) -> str:
    """Derive the id of telling one fact through one channel, to one subscription (UUIDv5, RFC 9562 §5.5)."""
    namespace = uuid_utils.UUID(bytes=event_id.bytes)  # six times faster than the standard library's uuid5
    name = channel if subscription_id is None else f"{channel}:{subscription_id}"
    return str(uuid_utils.uuid5(namespace, name))


def notifications_of(
    fact: Fact, learner_known: bool, listeners: Sequence[Listener], at: datetime
) -> list[NotificationRequested]:
    """Return every notification that `fact` calls for: a letter where there is somebody to write to, and one
    webhook for each listener who wants it.
    """
    event_id = str(fact.event_id)
    earliest = fact.at + timedelta(seconds=CLOCK_SKEW_S_MAX)
    wanted = [_request(fact, event_id, "mail", None, at)] if learner_known else []
    for listener in listeners:
        if fact.about in listener.events and listener.since <= earliest:
            wanted.append(_request(fact, event_id, "webhook", listener.subscription_id, at))
    return wanted


def _request(
    fact: Fact, event_id: str, channel: Channel, subscription_id: str | None, at: datetime
) -> NotificationRequested:
    return NotificationRequested(
        notification_id=notification_id(fact.event_id, channel, subscription_id),
        channel=channel,
        about=fact.about,
        event_id=event_id,
        credential_id=fact.credential_id,
        learner_id=fact.learner_id,
        subscription_id=subscription_id,
        requested_at=at,
        wording=WORDING,
    )


def decide_request(state: Notification, wanted: NotificationRequested) -> list[Event]:
    """Ask for a notification, once."""
    return [wanted] if state.stage == "unknown" else []


def decide_outcome(state: Notification, attempt: Attempt, outcome: Outcome, at: datetime) -> list[Event]:
    """Say what an attempt's outcome means for its notification: sent, given up, or (no event) still open."""
    if state.stage == "sent":
        return []
    if isinstance(outcome, Delivered):
        return [
            NotificationSent(notification_id=attempt.notification_id, attempts=attempt.attempts, sent_at=at)
        ]
    if not attempt.current:
        return []
    if isinstance(outcome, TryLater) and next_attempt_at(attempt, outcome, at) is not None:
        return []
    return [
        NotificationGaveUp(
            notification_id=attempt.notification_id,
            attempts=attempt.attempts,
            reason=outcome.reason,
            gave_up_at=at,
        )
    ]


def next_attempt_at(attempt: Attempt, outcome: TryLater, at: datetime) -> datetime | None:
    """Return when to try again after `outcome`, or None if that was the last attempt.

    The wait is the schedule's, or what the other side asked for where that is longer. The jitter spreads what
    failed together; it derives from the notification's id, so that the schedule of one is always the same.
    """
    if attempt.attempts >= attempt.attempts_max:
        return None
    wait_s = WAITS_S[min(attempt.attempts, ATTEMPTS_MAX - 1)]
    jitter = 1 + JITTER_SHARE_MAX * _share(attempt.notification_id, attempt.attempts)
    return at + timedelta(seconds=max(wait_s * jitter, outcome.retry_after_s or 0))


def _share(notification: str, attempts: int) -> float:
    """Return a number in [0, 1) that looks random and is always the same for the same arguments."""
    digest = hashlib.sha256(f"{notification}:{attempts}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def used_up(attempt: Attempt) -> GiveUp | None:
    """Refuse to begin an attempt beyond the last: earlier ones were begun and never came back."""
    return GiveUp("attempts-used-up") if attempt.attempts > attempt.attempts_max else None
