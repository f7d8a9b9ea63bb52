"""How one held delivery becomes one attempt: the message is written anew from its facts, and handed over.

Nothing is kept between attempts, and nothing needs to be: the same facts give the same bytes. What makes a
delivery pointless (the learner was forgotten, the subscription ended) is a value here like any other outcome.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from services.notifier.channels import MailChannel, WebhookChannel
from services.notifier.messages import wording_of
from services.notifier.outcomes import GiveUp, Outcome
from services.notifier.store import Held
from services.notifier.webhook_secrets import WebhookSecrets
from shared.clock import now
from shared.contracts import sealed
from shared.contracts.sealed import SealedLearner
from shared.sealing import open_sealed
from shared.vault import LearnerKeys


class Carrier(Protocol):
    """One way out, for a whole service: what the courier hands deliveries to."""

    async def carry(self, held: Held) -> Outcome:
        """Make one attempt. Raises Rejected where none can work, Unavailable where this one could not."""
        ...

    async def rest(self) -> None:
        """Nothing is due for a while: let go of what only work is worth holding."""
        ...


class WebhookCarrier:
    """Carries facts to subscribers."""

    def __init__(self, channel: WebhookChannel, secrets: WebhookSecrets, public_url: str) -> None:
        self._channel = channel
        self._secrets = secrets
        self._public_url = public_url

    async def carry(self, held: Held) -> Outcome:
        """Post the fact, signed at this moment; an inactive subscription is told nothing more."""
        subscription = held.subscription
        if subscription is None or subscription.state != "active":
            return GiveUp(f"subscription-{'deleted' if subscription is None else subscription.state}")
        at = now()
        body = wording_of(held.wording).webhook_body(
            held.notification_id, held.issuer_id, held.about, held.credential, self._public_url
        )
        secrets = self._secrets.in_force(subscription, at)
        return await self._channel.deliver(
            subscription.url, secrets, held.notification_id, body, int(at.timestamp())
        )

    async def rest(self) -> None:
        """Nothing to do: idle connections end by themselves (OutboundLimits.idle_wait_s)."""


class MailCarrier:
    """Carries letters to learners, over as many connections to the relay as there are channels."""

    def __init__(
        self, channels: Sequence[MailChannel], keys: LearnerKeys, public_url: str, sender: str
    ) -> None:
        self._channels = tuple(channels)
        self._idle: asyncio.LifoQueue[MailChannel] = asyncio.LifoQueue()
        for channel in self._channels:
            self._idle.put_nowait(channel)
        self._keys = keys
        self._public_url = public_url
        self._sender = sender

    async def carry(self, held: Held) -> Outcome:
        """Write to the learner, unless the learner was forgotten."""
        facts = held.credential
        learner_ref = (held.issuer_id, facts.learner_id)
        key = (await self._keys.of([learner_ref]))[learner_ref]
        if key is None:
            return GiveUp("learner-erased")
        learner = _open_contact(key, held)
        letter = wording_of(held.wording).letter(
            held.notification_id, held.about, facts, learner, self._public_url, self._sender
        )
        channel = await self._idle.get()
        try:
            return await channel.deliver(letter, self._sender, learner.email)
        finally:
            self._idle.put_nowait(channel)

    async def rest(self) -> None:
        """Take leave of the relay, which would otherwise end the idle conversations itself."""
        for channel in self._channels:
            await channel.close()


def _open_contact(key: bytes, held: Held) -> SealedLearner:
    """Open the learner's name and e-mail, sealed by the issuer for the credential's own stream."""
    facts = held.credential
    plaintext = open_sealed(
        key,
        facts.contact,
        issuer_id=held.issuer_id,
        learner_id=facts.learner_id,
        stream=f"credential-{facts.credential_id}",
    )
    return sealed.decode(SealedLearner, plaintext)
