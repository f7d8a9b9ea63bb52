"""HTTP: subscriptions to webhooks, and how the telling of a credential's facts goes.

A tenant sees its own subscriptions and deliveries alone; another's ids answer 404. Nothing here shows
personal data: a delivery by mail says that there was a letter, never to whom.
"""

# Without postponed annotations, alone in this package: FastAPI reads them, and the guard in them is a local.
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Query, status
from fastapi.openapi.models import Example
from pydantic import BaseModel, ConfigDict, Field

from services.notifier.handlers.subscriptions import Shown, SubscriptionDesk
from services.notifier.store import Delivery
from services.notifier.subscription_store import Subscription
from shared.access import Caller, Scope
from shared.guarded_route import Guard, GuardedRoute
from shared.outbound import URL_CHARS_MAX

EventKind = Literal["credential.signed", "credential.revoked"]

BOTH_KINDS: Final = Example(
    summary="Told of everything",
    value={
        "url": "https://hooks.example.org/microcred",
        "events": ["credential.signed", "credential.revoked"],
    },
)
REVOCATIONS: Final = Example(
    summary="Told of revocations alone",
    value={"url": "https://hooks.example.org/revocations", "events": ["credential.revoked"]},
)


class SubscriptionRequest(BaseModel):
    """Who wants to be told, and of what."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(
        max_length=URL_CHARS_MAX,
        description="Where webhooks are posted: https on port 443, a public host, no credentials in it.",
    )
    events: tuple[EventKind, ...] = Field(
        min_length=1, max_length=8, description="The kinds of facts to be told of."
    )


class SubscriptionView(BaseModel):
    """A subscription. `disabled` means that its endpoint answered 410: make a new one to be told again."""

    subscription_id: str = Field(description="Its id, a UUID.")
    url: str = Field(description="Where webhooks are posted.")
    events: tuple[EventKind, ...] = Field(description="The kinds of facts it is told of.")
    state: Literal["active", "disabled"] = Field(description="Whether it is told.")
    created_at: datetime = Field(description="Since when.")
    retiring_until: datetime | None = Field(
        description="After a rotation: until when the previous secret signs as well."
    )


class SubscriptionWithSecret(SubscriptionView):
    """A subscription with its secret, which is shown this once."""

    secret: str = Field(
        description="`whsec_…`: checks the header `webhook-signature` (Standard Webhooks, HMAC-SHA-256)."
        " It is never shown again."
    )


class DeliveryView(BaseModel):
    """How one telling goes."""

    notification_id: str = Field(description="The webhook's `webhook-id`; part of a letter's Message-ID.")
    channel: Literal["mail", "webhook"] = Field(description="How it is told.")
    about: EventKind = Field(description="What is told.")
    credential_id: str = Field(description="Of which credential.")
    subscription_id: str | None = Field(description="To which subscription, if by webhook.")
    state: Literal["due", "held", "sent", "gave-up"] = Field(
        description="`due` waits for `due_at`, `held` is being attempted, `sent` was taken by the receiver."
    )
    attempts: int = Field(description="Attempts begun so far.")
    due_at: datetime = Field(description="When the next attempt is due; of one that ended, when that was.")
    last_reason: str | None = Field(description="Why the last attempt did not succeed, as a code.")
    requested_at: datetime = Field(description="When it was asked for.")


def routes(desk: SubscriptionDesk, guard: Guard) -> APIRouter:
    """Return the routes under /notifier."""
    router = APIRouter()
    router.include_router(_subscription_routes(desk, guard))
    router.include_router(_delivery_routes(desk, guard))
    return router


def _subscription_routes(desk: SubscriptionDesk, guard: Guard) -> APIRouter:
    router = APIRouter(prefix="/subscriptions", tags=["subscriptions"], route_class=GuardedRoute)
    writer = guard(Scope.SUBSCRIPTIONS_WRITE)

    @router.post(
        "",
        status_code=status.HTTP_201_CREATED,
        summary="Subscribe to webhooks",
        responses={409: {"description": "An active subscription has the address, or there are too many."}},
    )
    async def subscribe(
        caller: Annotated[Caller, writer],
        wanted: Annotated[
            SubscriptionRequest, Body(openapi_examples={"both": BOTH_KINDS, "revocations": REVOCATIONS})
        ],
    ) -> SubscriptionWithSecret:
        """Answers with the secret, once. 409 where an active subscription has the address already."""
        return _with_secret(await desk.subscribe(caller, wanted.url, wanted.events))

    @router.get("", summary="List subscriptions")
    async def listed(caller: Annotated[Caller, writer]) -> list[SubscriptionView]:
        """Every subscription of the caller's issuer, oldest first, without secrets."""
        return [_view(each) for each in await desk.listed(caller)]

    @router.get("/{subscription_id}", summary="Show a subscription")
    async def shown(caller: Annotated[Caller, writer], subscription_id: UUID) -> SubscriptionView:
        """One subscription, without its secret."""
        return _view(await desk.get(caller, subscription_id))

    @router.delete("/{subscription_id}", status_code=status.HTTP_204_NO_CONTENT, summary="Unsubscribe")
    async def unsubscribe(caller: Annotated[Caller, writer], subscription_id: UUID) -> None:
        """Ends it. What is still due to it is given up."""
        await desk.unsubscribe(caller, subscription_id)

    @router.post("/{subscription_id}/rotate-secret", summary="Make a new secret")
    async def rotate(caller: Annotated[Caller, writer], subscription_id: UUID) -> SubscriptionWithSecret:
        """Until `retiring_until` each webhook carries two signatures: of the new secret and the previous."""
        return _with_secret(await desk.rotate(caller, subscription_id))

    return router


def _delivery_routes(desk: SubscriptionDesk, guard: Guard) -> APIRouter:
    router = APIRouter(prefix="/deliveries", tags=["deliveries"], route_class=GuardedRoute)

    @router.get("", summary="Show how a credential's facts were told")
    async def of_credential(
        caller: Annotated[Caller, guard(Scope.CREDENTIALS_READ)],
        credential_id: Annotated[UUID, Query(description="The credential.")],
    ) -> list[DeliveryView]:
        """Letters and webhooks of one credential, newest first; empty for one that nobody was told of."""
        return [_delivery(each) for each in await desk.deliveries(caller, credential_id)]

    @router.post(
        "/{notification_id}/retry",
        status_code=status.HTTP_202_ACCEPTED,
        summary="Attempt a delivery now",
        responses={409: {"description": "The receiver has taken it."}},
    )
    async def retry(
        caller: Annotated[Caller, guard(Scope.SUBSCRIPTIONS_WRITE)], notification_id: UUID
    ) -> DeliveryView:
        """One attempt, under the same id and with the same bytes. 409 where it was taken already."""
        return _delivery(await desk.ask_again(caller, notification_id))

    return router


def _members(subscription: Subscription) -> dict[str, object]:
    return {
        "subscription_id": subscription.subscription_id,
        "url": subscription.url,
        "events": subscription.events,
        "state": subscription.state,
        "created_at": subscription.created_at,
        "retiring_until": subscription.retiring_until,
    }


def _view(subscription: Subscription) -> SubscriptionView:
    return SubscriptionView.model_validate(_members(subscription))


def _with_secret(shown: Shown) -> SubscriptionWithSecret:
    return SubscriptionWithSecret.model_validate({**_members(shown.subscription), "secret": shown.secret})


def _delivery(delivery: Delivery) -> DeliveryView:
    return DeliveryView.model_validate(asdict(delivery))
