"""notification.requested, .sent and .gave-up: who is told what, once, and how it went.

The id derives from the fact that is told and the channel, so that a redelivered fact asks for nothing new.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from shared.contracts.event import Instant, KeptEvent, Uuid


class _Notification(KeptEvent):
    KEPT_BY: ClassVar[str] = "notifier"
    STREAM: ClassVar[str] = "notification"

    notification_id: Uuid

    @property
    def aggregate_id(self) -> str:
        return self.notification_id


class NotificationRequested(_Notification):
    """Somebody shall be told of `about` by mail, or by webhook to one subscription.

    `wording` is the version of the message: every attempt says the same, also after a release between them.
    """

    TYPE: ClassVar[str] = "notification.requested.v1"

    channel: Literal["mail", "webhook"]
    about: Literal["credential.signed", "credential.revoked"]
    event_id: Uuid
    credential_id: Uuid
    learner_id: Uuid
    subscription_id: Uuid | None = None
    requested_at: Instant
    wording: int = Field(default=1, ge=1)


class NotificationSent(_Notification):
    """The receiver took it, at the `attempts`-th attempt."""

    TYPE: ClassVar[str] = "notification.sent.v1"

    attempts: int = Field(ge=1)
    sent_at: Instant


class NotificationGaveUp(_Notification):
    """It was never taken; `reason` is a code without personal data."""

    TYPE: ClassVar[str] = "notification.gave-up.v1"

    attempts: int = Field(ge=0)
    reason: str
    gave_up_at: Instant
