"""Webhook secrets at rest: wrapped under the master key, for this purpose, bound to their subscription."""

from __future__ import annotations

from datetime import datetime

from services.notifier.subscription_store import Subscription
from shared.sealing import MasterKey


class WebhookSecrets:
    """Wraps and unwraps; keeps nothing but the key for this one purpose."""

    def __init__(self, master_key: MasterKey) -> None:
        self._kek = master_key.key_wrap("webhook-secret")

    def wrap(self, issuer_id: str, subscription_id: str, secret: str) -> bytes:
        """Encrypt a `whsec_…` secret for one subscription."""
        return self._kek.wrap(secret.encode(), (issuer_id, subscription_id))

    def in_force(self, subscription: Subscription, at: datetime) -> tuple[str, ...]:
        """Return the secrets that sign at the moment `at`: the newest first, and the previous one during the
        overlap of a rotation. Raises Invalid("wrapped-unreadable") for another master key.
        """
        wrapped = [subscription.secret]
        if subscription.retiring_until is not None and at < subscription.retiring_until:
            wrapped.append(subscription.retiring_secret)
        place = (subscription.issuer_id, subscription.subscription_id)
        return tuple(self._kek.unwrap(each, place).decode() for each in wrapped if each is not None)
