"""Builds the verifier."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import APIRouter

from services.verifier import handlers
from services.verifier.api import BODY_BYTES_MAX, public_routes, routes, vcalm
from services.verifier.api.vcalm import vcalm_routes
from services.verifier.examination.examine import Examiner
from services.verifier.fetching.fetcher import LIMITS, Fetcher
from services.verifier.handlers import Kept, Verify
from services.verifier.settings import VerifierSettings
from shared.access import api_key_subscription
from shared.bus.consumer import Subscription
from shared.contracts.issuers import IssuerKeyPublished, IssuerKeyRetired, IssuerPublished
from shared.contracts.status_lists import StatusListPublished
from shared.database import Database
from shared.limits import RateLimit
from shared.outbound import OutboundClient
from shared.proofs.workers import CanonicalWorkers
from shared.service import Service

NAME = "verifier"
MIGRATIONS = Path(__file__).parent / "migrations"
LANES = (
    Subscription("verifier.keep_lists", (StatusListPublished,), handlers.keep_lists),
    Subscription(
        "verifier.keep_issuers",
        (IssuerPublished, IssuerKeyPublished, IssuerKeyRetired),
        handlers.keep_issuers,
    ),
    api_key_subscription(NAME),
)


async def build(settings: VerifierSettings, outbound: OutboundClient | None = None) -> Service:
    """Connect to the verifier's database and put its parts together; nothing runs yet.

    `outbound` replaces the client that fetches from strangers' servers; the service closes it.
    """
    database = await Database.open(
        settings.database_url.get_secret_value(), NAME, settings.database_connections_max
    )
    workers = CanonicalWorkers(settings.verifier_processes, spare=True)
    outbound = outbound or OutboundClient(LIMITS, settings.outbound_allow_loopback)
    fetcher = Fetcher(outbound)
    verify = Verify(Examiner(workers), lambda: Kept(database, settings.public_url, fetcher))
    limit = RateLimit(settings.verifications_per_second_max, settings.verifications_burst_max)
    return Service(
        name=NAME,
        database=database,
        migrations=MIGRATIONS,
        api=_routes(verify, limit),
        public=public_routes(database),
        subscriptions=LANES,
        resources=(workers, _closing(outbound)),
        body_bytes_max=BODY_BYTES_MAX | vcalm.BODY_BYTES_MAX,
    )


def _routes(verify: Verify, limit: RateLimit) -> APIRouter:
    router = APIRouter()
    router.include_router(routes(verify, limit))
    router.include_router(vcalm_routes(verify, limit))
    return router


@asynccontextmanager
async def _closing(outbound: OutboundClient) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await outbound.close()
