"""The issuer as a value: what it is made of, and nothing else.

It is two halves that meet in its database. The desk answers callers and issues; the signer signs credentials
and status lists, and it alone reaches the private keys. One process may be both, or either (ISSUER_ONLY).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from services.issuer import api
from services.issuer.api import vcalm
from services.issuer.documents.addresses import Addresses
from services.issuer.forms import Forms
from services.issuer.handlers import forget, issue, sign, sign_posted, status_lists
from services.issuer.handlers.achievements import Achievements
from services.issuer.handlers.forget import Forget
from services.issuer.handlers.issue import Issue
from services.issuer.handlers.list_upkeep import OpenLists, RefreshLists
from services.issuer.handlers.pages import Pages
from services.issuer.handlers.posted import IssuePosted
from services.issuer.handlers.posted_keys import PostedKeys
from services.issuer.handlers.posted_life import ForgetPosted, UpdateStatus
from services.issuer.handlers.proving import Prover, forms_of
from services.issuer.handlers.public_address import unchanged_public_url
from services.issuer.handlers.publishing_keys import KeyMaking, no_missing_keys
from services.issuer.handlers.rendering import Rendering
from services.issuer.handlers.revoke import Revoke
from services.issuer.handlers.sign import Sign
from services.issuer.handlers.sign_posted import SignPosted
from services.issuer.handlers.signing_keys import SigningKeys, migrated_keys, open_keys, token_of
from services.issuer.handlers.status_lists import ListTerms, PublishStatus, StatusLists
from services.issuer.handlers.tenant_secrets import TenantSecrets
from services.issuer.settings import IssuerSettings
from shared.access import Access
from shared.bus.consumer import Subscription
from shared.contracts.assessments import AssessmentPassed
from shared.contracts.credentials import CredentialIssued
from shared.contracts.learners import LearnerErased
from shared.contracts.posted import PostedCredentialIssued
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


@dataclass(frozen=True, slots=True)
class _Ground:
    """What both halves stand on."""

    settings: IssuerSettings
    forms: Forms
    suites: Mapping[str, Suite]
    master_key: MasterKey
    database: Database
    addresses: Addresses
    learner_keys: LearnerKeys
    rendering: Rendering
    workers: CanonicalWorkers


@dataclass(frozen=True, slots=True)
class _Half:
    """What one half adds to the service."""

    subscriptions: tuple[Subscription, ...]
    loops: tuple[Loop, ...] = ()
    resources: tuple[AbstractAsyncContextManager[Any], ...] = ()


async def build(
    settings: IssuerSettings,
    *,
    suites: Mapping[str, Suite] = SUITES,
    signing_keys: SigningKeys | None = None,
) -> Service:
    """Open the databases and put the issuer, or the half that the settings name, together.

    `suites` are the proof suites that settings.cryptosuites may name; `signing_keys` finds the private keys.
    Raises Invalid for forms or a master key file that cannot be used, and Unavailable.
    """
    forms = forms_of(settings, suites)
    master_key = MasterKey.from_file(settings.master_key_file)
    connections_max = settings.database_connections_max
    database = await Database.open(settings.database_url.get_secret_value(), NAME, connections_max)
    vault = await Database.open(settings.vault_database_url.get_secret_value(), "vault", connections_max)

    addresses = Addresses(settings.public_url)
    learner_keys = LearnerKeys(vault, master_key)
    rendering = Rendering(addresses, learner_keys)
    # Every suite and not only the chosen: an intent is signed as it was planned, whatever is set by then.
    workers = CanonicalWorkers(settings.canonical_processes, suites=suites)
    ground = _Ground(
        settings, forms, suites, master_key, database, addresses, learner_keys, rendering, workers
    )
    halves: list[_Half] = []
    private, public = APIRouter(), APIRouter()
    if settings.only != "signer":
        halves.append(_desk(ground))
        private, public = _routes(ground)
    if settings.only != "desk":
        halves.append(await _signer(ground, signing_keys))
    forgetting = forget.SIGNER_LANE if settings.only == "signer" else forget.LANE
    return Service(
        name=NAME,
        database=database,
        migrations=MIGRATIONS,
        api=private,
        public=public,
        subscriptions=(
            *(subscription for half in halves for subscription in half.subscriptions),
            Subscription(forgetting, (LearnerErased,), Forget(learner_keys).handle),
        ),
        loops=tuple(loop for half in halves for loop in half.loops),
        resources=(
            vault,
            unchanged_public_url(database, settings.public_url),
            workers,
            *(resource for half in halves for resource in half.resources),
        ),
        body_bytes_max=vcalm.BODY_BYTES_MAX,
    )


def _routes(ground: _Ground) -> tuple[APIRouter, APIRouter]:
    """The desk's commands, and the documents at signed addresses."""
    settings, database, addresses = ground.settings, ground.database, ground.addresses
    achievements = Achievements(database, addresses, ground.workers.hash_data, ground.forms)
    guard = Guard(Access(database), RateLimit(settings.requests_per_second_max, settings.requests_burst_max))
    secrets, revoke = TenantSecrets(ground.master_key), Revoke(database)
    posted_keys = PostedKeys(ground.master_key)
    issue_posted = IssuePosted(
        database,
        addresses,
        secrets,
        posted_keys,
        ground.workers.hash_data,
        forms=ground.forms,
        wait_s=settings.issue_wait_s,
    )
    private = APIRouter()
    private.include_router(api.routes(database, guard, addresses, achievements, revoke))
    private.include_router(
        vcalm.vcalm_routes(
            guard,
            issue_posted,
            UpdateStatus(database, addresses, secrets, revoke),
            ForgetPosted(database, addresses, secrets),
        )
    )
    return private, api.public_routes(Pages(database, addresses, ground.rendering))


def _desk(ground: _Ground) -> _Half:
    secrets = TenantSecrets(ground.master_key)
    issuing = Issue(ground.database, ground.learner_keys, secrets, ground.forms)
    return _Half(
        subscriptions=(Subscription(issue.LANE, (AssessmentPassed,), issuing.handle, issuing.prepare),)
    )


async def _signer(ground: _Ground, signing_keys: SigningKeys | None) -> _Half:
    settings, database = ground.settings, ground.database
    key_database = await open_keys(settings)
    token = token_of(settings)
    keys = signing_keys if signing_keys is not None else SigningKeys(key_database, ground.master_key, token)
    making = KeyMaking(key_database, ground.master_key, token, settings.public_url, settings.key_overlap)
    prover = Prover(ground.suites, ground.workers.hash_data)
    signing = Sign(database, ground.learner_keys, ground.rendering, keys, prover)
    signing_posted = SignPosted(database, PostedKeys(ground.master_key), keys, prover)
    terms = ListTerms(
        ground.addresses, ground.forms, settings.status_list_validity, settings.status_list_ttl_ms
    )
    lists = StatusLists(terms, prover, keys)
    opening = OpenLists(database, lists, TenantSecrets(ground.master_key))
    refreshing = RefreshLists(
        database,
        lists,
        timedelta(seconds=settings.status_list_refresh_before_s),
        settings.status_list_refresh_every_s,
    )
    return _Half(
        subscriptions=(
            Subscription(
                sign.LANE,
                (CredentialIssued,),
                signing.handle,
                signing.prepare,
                settings.sign_batch_records_max,
            ),
            Subscription(
                sign_posted.LANE,
                (PostedCredentialIssued,),
                signing_posted.handle,
                signing_posted.prepare,
                settings.sign_batch_records_max,
            ),
            Subscription(
                status_lists.PUBLISH_LANE,
                status_lists.REVOCATIONS,
                PublishStatus(lists).handle,
                own_log=True,
            ),
        ),
        loops=(
            Loop("issuer.open_lists", opening.run, opening.pending),
            Loop("issuer.refresh_lists", refreshing.run, refreshing.pending),
        ),
        resources=(
            key_database,
            migrated_keys(key_database),
            no_missing_keys(making, database, ground.forms.kinds),
        ),
    )
