"""What subscribers ask for: to be told, to be told no more, another secret, another attempt.

A secret is known at one moment, when it is made; afterwards it lies wrapped under the master key, for one
purpose and one subscription. Refused: addresses that are never called, a second subscription of one address,
and more subscriptions than a tenant may have, since every fact is told to each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import structlog

from services.notifier import store, subscription_store
from services.notifier.channels import new_webhook_secret
from services.notifier.endpoints import demand_callable
from services.notifier.store import Delivery
from services.notifier.subscription_store import Subscription
from services.notifier.webhook_secrets import WebhookSecrets
from shared.access import Caller
from shared.clock import ordered_uuid
from shared.database import Database
from shared.errors import Conflict, NotFound

logger = structlog.get_logger(__name__)

UNKNOWN_SUBSCRIPTION = NotFound("subscription-unknown", "There is no such subscription.")


@dataclass(frozen=True, slots=True)
class Shown:
    """A subscription with its secret, at the only moment at which that is known."""

    subscription: Subscription
    secret: str

    def __repr__(self) -> str:
        return f"Shown(subscription_id={self.subscription.subscription_id!r})"


class SubscriptionDesk:
    """Serves subscribers, each on behalf of one tenant alone."""

    def __init__(
        self,
        database: Database,
        secrets: WebhookSecrets,
        *,
        allow_loopback: bool,
        subscriptions_max: int,
        secret_overlap_s: int,
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._allow_loopback = allow_loopback
        self._subscriptions_max = subscriptions_max
        self._secret_overlap = timedelta(seconds=secret_overlap_s)

    async def subscribe(self, caller: Caller, url: str, events: tuple[str, ...]) -> Shown:
        """Add a subscription of the caller's tenant.

        Raises Invalid("subscription-url-refused"), Conflict("subscription-exists" or "subscriptions-full").
        """
        demand_callable(url, self._allow_loopback)
        subscription_id, secret = str(ordered_uuid()), new_webhook_secret()
        wrapped = self._secrets.wrap(caller.issuer_id, subscription_id, secret)
        async with self._database.session() as session:
            number = await subscription_store.lock_of_issuer(session.connection, caller.issuer_id)
            if number >= self._subscriptions_max:
                raise Conflict(
                    "subscriptions-full", f"An issuer has {self._subscriptions_max} subscriptions at most."
                )
            subscription = Subscription(
                issuer_id=caller.issuer_id,
                subscription_id=subscription_id,
                url=url,
                events=tuple(sorted(set(events))),
                state="active",
                secret=wrapped,
                retiring_secret=None,
                retiring_until=None,
                created_at=session.at,
            )
            await subscription_store.insert(session.connection, subscription, caller.actor)
        logger.info("subscribed", actor=caller.actor, subscription_id=subscription_id)
        return Shown(subscription, secret)

    async def listed(self, caller: Caller) -> list[Subscription]:
        """Return the tenant's subscriptions, oldest first."""
        async with self._database.connection() as connection:
            return await subscription_store.listed(connection, caller.issuer_id)

    async def get(self, caller: Caller, subscription_id: UUID) -> Subscription:
        """Return one subscription. Raises NotFound("subscription-unknown")."""
        async with self._database.connection() as connection:
            found = await subscription_store.get(connection, caller.issuer_id, subscription_id)
        if found is None:
            raise UNKNOWN_SUBSCRIPTION
        return found

    async def unsubscribe(self, caller: Caller, subscription_id: UUID) -> None:
        """End a subscription; what is still due to it is given up. Raises NotFound."""
        async with self._database.session() as session:
            ended = await subscription_store.delete(
                session.connection, caller.issuer_id, subscription_id, session.at
            )
        if not ended:
            raise UNKNOWN_SUBSCRIPTION
        logger.info("unsubscribed", actor=caller.actor, subscription_id=str(subscription_id))

    async def rotate(self, caller: Caller, subscription_id: UUID) -> Shown:
        """Make a new secret; webhooks carry a signature of the previous one too until the overlap ends.

        Raises NotFound. A rotation within the overlap ends the older secret at once: two sign at most.
        """
        secret = new_webhook_secret()
        async with self._database.session() as session:
            found = await subscription_store.get(
                session.connection, caller.issuer_id, subscription_id, for_update=True
            )
            if found is None:
                raise UNKNOWN_SUBSCRIPTION
            rotated = replace(
                found,
                secret=self._secrets.wrap(caller.issuer_id, found.subscription_id, secret),
                retiring_secret=found.secret,
                retiring_until=session.at + self._secret_overlap,
            )
            await subscription_store.rotate(session.connection, rotated, session.at)
        logger.info("webhook secret rotated", actor=caller.actor, subscription_id=str(subscription_id))
        return Shown(rotated, secret)

    async def deliveries(self, caller: Caller, credential_id: UUID) -> list[Delivery]:
        """Return how the telling of a credential's facts goes, newest first."""
        async with self._database.connection() as connection:
            return await store.of_credential(connection, caller.issuer_id, credential_id)

    async def ask_again(self, caller: Caller, notification_id: UUID) -> Delivery:
        """Have a waiting or abandoned delivery attempted now; one that is being attempted stays as it is.

        Raises NotFound("delivery-unknown") and Conflict("delivery-sent").
        """
        async with self._database.session() as session:
            delivery = await store.ask_again(
                session.connection, caller.issuer_id, notification_id, session.at
            )
        if delivery is None:
            raise NotFound("delivery-unknown", "There is no such delivery.")
        if delivery.state == "sent":
            raise Conflict("delivery-sent", "The receiver has taken it; it is not sent again.")
        logger.info("delivery asked for again", actor=caller.actor, notification_id=str(notification_id))
        return delivery
