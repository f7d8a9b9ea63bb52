"""Tenants: made by an operator, with a secret, keys for the chosen forms and a first status list; and the
versions of their profiles.

These commands work on a Database alone; no server need run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from services.issuer import domain, store
from services.issuer.documents.addresses import Addresses
from services.issuer.handlers.new_keys import make_key
from services.issuer.handlers.proving import forms_of, proving_here
from services.issuer.handlers.public_address import keep_public_url
from services.issuer.handlers.retrying import retrying
from services.issuer.handlers.signing_keys import SigningKeys, migrate_keys, open_keys, token_of
from services.issuer.handlers.status_lists import ListTerms, StatusLists
from services.issuer.handlers.tenant_secrets import TenantSecrets, list_id
from services.issuer.key_rules import PublishedKey
from services.issuer.projections import project
from services.issuer.settings import IssuerSettings
from services.issuer.signing_key_store import insert_key
from services.issuer.store import Tenant
from shared import clock
from shared.contracts.event import Slug
from shared.contracts.issuers import IssuerProfile, IssuerPublished
from shared.database import Database
from shared.errors import Invalid
from shared.eventstore import Append, Meta, Session
from shared.proofs.suites import SUITES, Suite
from shared.sealing import MasterKey

OPERATOR = "operator:cli"
ISSUERS_LISTED_MAX = 1_000


@dataclass(frozen=True, slots=True)
class IssuerView:
    """A tenant as its operator sees it. `created` is false if it stood there already."""

    slug: str
    did: str
    profile_version: int
    created: bool


async def create_issuer(
    database: Database,
    settings: IssuerSettings,
    slug: str,
    profile: IssuerProfile,
    *,
    actor: str = OPERATOR,
    suites: Mapping[str, Suite] = SUITES,
) -> IssuerView:
    """Make a tenant; the same slug and profile again answer with what is there.

    The first tenant fixes PUBLIC_URL for ever. Raises Conflict for a slug with another profile or another
    PUBLIC_URL than the first tenant's, and Invalid for a slug that is none or a suite that cannot be used.
    """
    _check_slug(slug)
    forms = forms_of(settings, suites)
    master_key = MasterKey.from_file(settings.master_key_file)
    secrets, token = TenantSecrets(master_key), token_of(settings)
    terms = ListTerms(
        Addresses(settings.public_url),
        forms,
        settings.status_list_validity,
        settings.status_list_ttl_ms,
    )
    meta = Meta(actor, str(clock.ordered_uuid()))
    async with await open_keys(settings) as signing, database.session() as session:
        await migrate_keys(signing)
        lists = StatusLists(terms, proving_here(suites), SigningKeys(signing, master_key, token))
        await keep_public_url(session.connection, settings.public_url)
        history = await _profiles(session, slug)
        if history:
            domain.decide_create_issuer(history[-1], slug, history[-1].did, profile, session.at)
            return IssuerView(slug, history[-1].did, history[-1].profile_version, created=False)
        keys = [
            await make_key(master_key, token, settings.public_url, slug, kind) for kind in sorted(forms.kinds)
        ]
        did = keys[0].did  # of all: a did:key has one
        events = domain.decide_create_issuer(None, slug, did, profile, session.at)
        wrapped = secrets.make(slug)
        await store.insert_tenant(session.connection, slug, wrapped)
        # Apart from this transaction: a key without a tenant is nobody's, a tenant never lacks its key.
        async with signing.connection() as connection:
            for key in keys:
                await insert_key(connection, slug, key.key_id, key.kept)
        first_keys = [
            PublishedKey(key.key_id, key.public_key_multibase, session.at, session.at) for key in keys
        ]
        tenant = Tenant(slug, wrapped, did, 1, tuple(first_keys))
        first_list = list_id(secrets.open(slug, wrapped), 0)
        appends = [
            Append(slug, events[0].stream, 0, tuple(events), meta),
            *(key.published(slug, at=session.at, valid_from=session.at, meta=meta) for key in keys),
            *await lists.open(session, [(slug, first_list)], {slug: tenant}, meta),
        ]
        await project(session.connection, await session.append(appends))
    return IssuerView(slug, did, 1, created=True)


async def list_issuers(database: Database) -> list[IssuerView]:
    """Return up to ISSUERS_LISTED_MAX tenants with their newest profile, by slug."""
    async with database.connection() as connection:
        rows = await store.all_tenants(connection, ISSUERS_LISTED_MAX)
    return [IssuerView(row.issuer_id, row.did, row.profile_version, created=False) for row in rows]


async def publish_profile(
    database: Database, slug: str, changes: Mapping[str, str | None], *, actor: str = OPERATOR
) -> IssuerView:
    """Show a new version of a tenant's profile; credentials issued before keep theirs.

    `changes` names fields of IssuerProfile and their new values, None to take one away; the others stay as
    they are, and nothing new is published where nothing changes. Raises NotFound for an unknown slug, and
    Invalid for a profile that cannot be.
    """

    async def command() -> IssuerView:
        async with database.session() as session:
            history = await _profiles(session, slug)
            newest = history[-1] if history else None
            events = domain.decide_publish_profile(newest, changes, session.at)
            meta = Meta(actor, str(clock.ordered_uuid()))
            stream = f"{IssuerPublished.STREAM}-{slug}"
            appends = [Append(slug, stream, len(history), tuple(events), meta)] if events else []
            await project(session.connection, await session.append(appends))
        shown = [*history, *events][-1]
        return IssuerView(slug, shown.did, shown.profile_version, created=False)

    return await retrying(command)


def _check_slug(slug: str) -> None:
    try:
        TypeAdapter(Slug).validate_python(slug)
    except ValidationError:
        rule = "A slug is 3 to 40 lower-case letters, digits and hyphens, with no hyphen at either end."
        raise Invalid("slug-invalid", rule) from None


async def _profiles(session: Session, slug: str) -> list[IssuerPublished]:
    key = (slug, f"{IssuerPublished.STREAM}-{slug}")
    history = (await session.load([key]))[key]
    return [recorded.event for recorded in history if isinstance(recorded.event, IssuerPublished)]
