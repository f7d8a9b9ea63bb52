"""The issuer as a value: what it is made of, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from services.issuer import api
from services.issuer.documents.addresses import Addresses
from services.issuer.handlers import forget, issue, sign, status_lists
from services.issuer.handlers.achievements import Achievements
from services.issuer.handlers.forget import Forget
from services.issuer.handlers.issue import Issue
from services.issuer.handlers.pages import Pages
from services.issuer.handlers.proving import Prover, SigningKeys, refuse_unusable_suites
from services.issuer.handlers.public_address import unchanged_public_url
from services.issuer.handlers.rendering import Rendering
from services.issuer.handlers.revoke import Revoke
from services.issuer.handlers.sign import Sign
from services.issuer.handlers.status_lists import ListTerms, PublishStatus, RefreshLists, StatusLists
from services.issuer.handlers.tenant_secrets import TenantSecrets
from services.issuer.settings import IssuerSettings
from shared.access import Access, api_key_subscription
from shared.bus.consumer import Subscription
from shared.contracts.assessments import AssessmentPassed
from shared.contracts.credentials import CredentialIssued, CredentialRevoked
from shared.contracts.learners import LearnerErased
from shared.database import Database
from shared.guarded_route import Guard
from shared.limits import RateLimit
from shared.proofs.suites import SUITES, Suite
from shared.proofs.workers import CanonicalWorkers
from shared.sealing import MasterKey
from shared.service import Loop, Service
from shared.vault import LearnerKeys

NAME = "issuer"
MIGRATIONS = Path(__file__).parent / "migrations"


async def build(
    settings: IssuerSettings,
    *,
    suites: Mapping[str, Suite] = SUITES,
    signing_keys: SigningKeys | None = None,
) -> Service:
    """Open the databases and put the issuer together.

    `suites` are the proof suites that settings.cryptosuites may name; `signing_keys` finds the private keys.
    Raises Invalid for a suite or a master key file that cannot be used, and Unavailable.
    """
    chosen = settings.cryptosuites
    refuse_unusable_suites(chosen, suites)
    master_key = MasterKey.from_file(settings.master_key_file)
    connections_max = settings.database_connections_max
    database = await Database.open(settings.database_url.get_secret_value(), NAME, connections_max)
    vault = await Database.open(settings.vault_database_url.get_secret_value(), "vault", connections_max)

    addresses = Addresses(settings.public_url)
    learner_keys = LearnerKeys(vault, master_key)
    # Every suite and not only the chosen: an intent is signed as it was planned, whatever is set by then.
    workers = CanonicalWorkers(settings.canonical_processes, suites=suites)
    prover = Prover(suites, workers.hash_data)
    keys = signing_keys if signing_keys is not None else SigningKeys(master_key)
    rendering = Rendering(addresses, learner_keys)
    terms = ListTerms(addresses, chosen, settings.status_list_validity, settings.status_list_ttl_ms)
    lists = StatusLists(terms, prover, keys)
    issuing = Issue(database, learner_keys, TenantSecrets(master_key), lists, chosen)
    signing = Sign(database, learner_keys, rendering, keys, prover)
    achievements = Achievements(database, addresses, workers.hash_data, chosen)
    refreshing = RefreshLists(
        database,
        lists,
        timedelta(seconds=settings.status_list_refresh_before_s),
        settings.status_list_refresh_every_s,
    )
    guard = Guard(Access(database), RateLimit(settings.requests_per_second_max, settings.requests_burst_max))
    return Service(
        name=NAME,
        database=database,
        migrations=MIGRATIONS,
        api=api.routes(database, guard, addresses, achievements, Revoke(database)),
        public=api.public_routes(Pages(database, addresses, rendering)),
        subscriptions=(
            Subscription(issue.LANE, (AssessmentPassed,), issuing.handle, issuing.prepare),
            Subscription(
                sign.LANE,
                (CredentialIssued,),
                signing.handle,
                signing.prepare,
                settings.sign_batch_records_max,
            ),
            Subscription(status_lists.PUBLISH_LANE, (CredentialRevoked,), PublishStatus(lists).handle),
            Subscription(forget.LANE, (LearnerErased,), Forget(learner_keys).handle),
            api_key_subscription(NAME),
        ),
        loops=(Loop("issuer.refresh_lists", refreshing.run, refreshing.pending),),
        resources=(vault, unchanged_public_url(database, settings.public_url), workers),
    )
