"""Puts the notifier together: databases, lanes, two couriers, routes; and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import APIRouter

from services.notifier.api import routes
from services.notifier.carriers import Carrier, MailCarrier, WebhookCarrier
from services.notifier.channels import MailChannel, WebhookChannel, relay_trust
from services.notifier.courier import Courier, CourierLimits
from services.notifier.domain import Channel
from services.notifier.handlers.announce import Announcements
from services.notifier.handlers.record import OutcomeRecorder
from services.notifier.handlers.subscriptions import SubscriptionDesk
from services.notifier.settings import NotifierSettings
from services.notifier.webhook_secrets import WebhookSecrets
from shared.access import Access, api_key_subscription
from shared.database import Database
from shared.guarded_route import Guard
from shared.limits import RateLimit
from shared.outbound import OutboundClient
from shared.sealing import MasterKey
from shared.service import Service
from shared.vault import LearnerKeys

MIGRATIONS = Path(__file__).parent / "migrations"
VAULT_CONNECTIONS_MAX = 4


async def build(settings: NotifierSettings) -> Service:
    """Make the notifier. Raises Unavailable where a database does not answer."""
    master_key = MasterKey.from_file(settings.master_key_file)
    database = await Database.open(
        settings.database_url.get_secret_value(), "notifier", settings.database_connections_max
    )
    vault = await Database.open(
        settings.vault_database_url.get_secret_value(), "vault", VAULT_CONNECTIONS_MAX
    )
    keys = LearnerKeys(vault, master_key)
    secrets = WebhookSecrets(master_key)
    outbound = OutboundClient(settings.outbound_limits, settings.outbound_allow_loopback)
    desk = SubscriptionDesk(
        database,
        secrets,
        allow_loopback=settings.outbound_allow_loopback,
        subscriptions_max=settings.subscriptions_per_issuer_max,
        secret_overlap_s=settings.secret_overlap_s,
    )
    guard = Guard(Access(database), RateLimit(settings.requests_per_second_max, settings.requests_burst_max))
    return Service(
        name="notifier",
        database=database,
        migrations=MIGRATIONS,
        api=routes(desk, guard),
        public=APIRouter(),
        subscriptions=(*Announcements(keys).subscriptions(), api_key_subscription("notifier")),
        loops=tuple(courier.loop for courier in _couriers(settings, database, keys, secrets, outbound)),
        resources=(vault, _closing(outbound)),
    )


def _couriers(
    settings: NotifierSettings,
    database: Database,
    keys: LearnerKeys,
    secrets: WebhookSecrets,
    outbound: OutboundClient,
) -> tuple[Courier, Courier]:
    recorder = OutcomeRecorder(database)
    trust = relay_trust(settings.relay)
    relay = [MailChannel(settings.relay, trust) for _ in range(settings.mail_connections_max)]

    def courier(channel: Channel, carrier: Carrier, in_flight_max: int, lane_max: int) -> Courier:
        limits = CourierLimits(in_flight_max, lane_max, settings.attempt_wait_s, settings.lease_s)
        return Courier(channel, carrier, database, recorder, limits)

    return (
        courier(
            "mail",
            MailCarrier(relay, keys, settings.public_url, settings.mail_sender),
            in_flight_max=settings.mail_connections_max,
            lane_max=settings.mail_connections_max,
        ),
        courier(
            "webhook",
            WebhookCarrier(WebhookChannel(outbound), secrets, settings.public_url),
            in_flight_max=settings.webhooks_in_flight_max,
            lane_max=settings.webhooks_per_subscription_max,
        ),
    )


@asynccontextmanager
async def _closing(outbound: OutboundClient) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await outbound.close()
