"""Issuing what a caller wrote (VCALM, `/credentials/issue`): judged whole, kept as an intent, then signed.

Everything that would keep it from being signed is found before anything is kept, with a place that stands for
the one it will get: what is refused costs no place and leaves no trace. Then the intent is appended as for
any credential, and the desk, which has no private key, waits for the signature to appear in the log.

A credential's name (its id, or the option credentialId) makes posting it repeatable: the same content again
has the same answer. One without a name is another credential each time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple

from services.issuer import posted_rules, posted_store, store
from services.issuer.documents.addresses import Addresses
from services.issuer.documents.posted import Content, Made, Poster, content, is_open_badge
from services.issuer.documents.signed import proof_configs, reassembled
from services.issuer.forms import Forms
from services.issuer.handlers.issue import planned_proofs
from services.issuer.handlers.linting import lint_badge, lint_credential, pinned_contexts
from services.issuer.handlers.pages import UNSIGNED_RETRY_AFTER_S, undrifted
from services.issuer.handlers.posted_keys import PostedKeys, opened_of, sealed_for
from services.issuer.handlers.retrying import retrying
from services.issuer.handlers.tenant_secrets import StatusEntries, TenantSecrets, posted_id
from services.issuer.posted_rules import Posted
from services.issuer.posted_store import PostedRef
from services.issuer.projections import project
from services.issuer.store import Tenant
from shared import clock
from shared.contracts.credentials import StatusEntry
from shared.contracts.posted import PostedCredentialIssued
from shared.database import Database
from shared.errors import Conflict, Gone, Invalid, NotFound, NotYet, StaleStream
from shared.eventstore import Append, Meta, Session
from shared.eventstore.log import StreamKey, load
from shared.proofs import jsonld_safety
from shared.proofs.contexts import CREDENTIALS_V2, PINNED
from shared.proofs.safe_mode import Hash, demand_safe
from shared.proofs.several import many
from shared.proofs.strictjson import JsonObject

LOOK_EVERY_S = 0.05
_SOME_LIST = "00000000-0000-0000-0000-000000000000"


class Wanted(NamedTuple):
    """A posted credential that may be issued, under the id that we gave it."""

    ref: PostedRef
    posted: JsonObject
    poster: Poster
    tenant: Tenant
    secret: bytes


class IssuePosted:
    """Holds what issuing posted credentials depends on."""

    def __init__(
        self,
        database: Database,
        addresses: Addresses,
        secrets: TenantSecrets,
        keys: PostedKeys,
        hash_data: Hash,
        *,
        forms: Forms,
        wait_s: float,
    ) -> None:
        self._database = database
        self._addresses = addresses
        self._secrets = secrets
        self._keys = keys
        self._hash_data = hash_data
        self._forms = forms
        self._wait_s = wait_s

    async def __call__(
        self, issuer_id: str, posted: JsonObject, credential_id: str | None, meta: Meta
    ) -> bytes:
        """Return the signed credential, the same for the same again.

        Raises Invalid for what may not be issued, Conflict where its name has other content, Gone where it
        was forgotten or withdrawn, and NotYet if it is not signed within the time that a request may take.
        """
        wanted = await self._wanted(issuer_id, posted, credential_id)
        await self._judge(wanted)
        await retrying(lambda: self._issue(wanted, meta))
        return await self._signed(wanted.ref)

    async def _wanted(self, issuer_id: str, posted: JsonObject, credential_id: str | None) -> Wanted:
        async with self._database.connection() as connection:
            tenant = (await store.tenants(connection, [issuer_id])).get(issuer_id)
            newest = await store.newest_profile(connection, issuer_id)
        if tenant is None or newest is None:
            raise NotFound("issuer-unknown", "There is no such issuer.")
        name = posted_rules.name_of(posted, credential_id, self._addresses.public_url)
        posted_rules.demand_postable(posted, tenant.did)
        secret = self._secrets.open(issuer_id, tenant.wrapped_secret)
        ours = posted_id(secret, name) if name is not None else str(clock.random_uuid())
        poster = Poster(self._addresses, issuer_id, tenant.did, newest[1])
        return Wanted((issuer_id, ours), posted, poster, tenant, secret)

    async def _judge(self, wanted: Wanted) -> None:
        """Raise Invalid unless it could be signed and every verifier would read in it what it says."""
        at = clock.now()
        signing = self._forms.plan(wanted.tenant.keys, at)
        document = content(
            wanted.posted, wanted.poster, StatusEntry(list_id=_SOME_LIST, index=0), at
        ).document
        jsonld_safety.refuse_unsignable_input(document, PINNED)
        proofs = planned_proofs(wanted.ref[1], signing)
        lint(document, proof_configs(document, proofs, signing.key_id, at))
        # By canonicalising it, whatever the suites: an undefined term means nothing to a reader of JSON-LD.
        await demand_safe(self._hash_data, document)

    async def _issue(self, wanted: Wanted, meta: Meta) -> None:
        issuer_id, _ = wanted.ref
        stream = stream_of(wanted.ref)
        async with self._database.session() as session:
            history = (await session.load([stream]))[stream]
            state = posted_rules.posted_of(recorded.event for recorded in history)
            if state is not None:
                await self._demand_same(session, wanted, state)
                return
            places = await store.reserve_places(session.connection, {issuer_id: 1})
            # Only now, with the tenant locked: a key that was retired meanwhile begins nothing any more.
            keys = (await store.published_keys(session.connection, [issuer_id]))[issuer_id]
            status = StatusEntries(wanted.secret).entry(places[issuer_id])
            whole = content(wanted.posted, wanted.poster, status, session.at)
            key, wrapped = self._keys.make(wanted.ref)
            if not await posted_store.insert_key(session.connection, wanted.ref, wrapped):
                raise StaleStream("Another request posts the same credential at this moment.")
            signing = self._forms.plan(keys, session.at)
            events = posted_rules.decide_issue_posted(
                wanted.ref[1],
                contexts=pinned_contexts(map(str, many(whole.document["@context"]))),
                proofs=planned_proofs(wanted.ref[1], signing),
                key_id=signing.key_id,
                status=status,
                sealed=sealed_for(key, wanted.ref, stream[1], whole.to_json()),
                at=session.at,
            )
            append = Append(*stream, 0, tuple(events), meta)
            await project(session.connection, await session.append([append]))

    async def _demand_same(self, session: Session, wanted: Wanted, state: Posted) -> None:
        key = (await self._keys.of(session.connection, [wanted.ref])).get(wanted.ref)
        if key is None:
            raise _forgotten()
        if not content_of(key, wanted.ref, state.issued).holds(wanted.posted):
            raise Conflict(
                "credential-exists", "A credential of this name and with other content was issued before."
            )

    async def _signed(self, ref: PostedRef) -> bytes:
        """Wait for the signature. Nothing is held meanwhile."""
        until = time.monotonic() + self._wait_s
        stream = stream_of(ref)
        while True:
            async with self._database.connection() as connection:
                history = (await load(connection, [stream]))[stream]
                key = (await self._keys.of(connection, [ref])).get(ref)
            state = posted_rules.posted_of(recorded.event for recorded in history)
            if state is None or key is None:
                raise _forgotten()
            if state.signed is not None:
                return signed_bytes(key, ref, state)
            if state.revoked is not None:
                raise Gone("credential-withdrawn", "This credential was withdrawn before it was signed.")
            if time.monotonic() >= until:
                raise NotYet(
                    "The credential is not signed yet; the same again asks for it, if it has a name.",
                    UNSIGNED_RETRY_AFTER_S,
                )
            await asyncio.sleep(LOOK_EVERY_S)


def stream_of(ref: PostedRef) -> StreamKey:
    """The stream of a posted credential."""
    return ref[0], f"{PostedCredentialIssued.STREAM}-{ref[1]}"


def lint(document: JsonObject, configs: Sequence[JsonObject]) -> None:
    """Raise Invalid unless `document` with these proofs is what it calls itself, of version 2.0."""
    context = document["@context"]
    if not isinstance(context, list) or context[0] != CREDENTIALS_V2:
        reason = f"$.@context: must be an array that starts with {CREDENTIALS_V2}; 1.1 is not issued"
        raise Invalid("document-refused", "The document breaks rules of its standards.", (reason,))
    (lint_badge if is_open_badge(document) else lint_credential)(document, configs)


def content_of(key: bytes, ref: PostedRef, issued: PostedCredentialIssued) -> Content:
    """What an intent seals."""
    return Content.from_json(opened_of(key, ref, issued.stream, issued.sealed))


def signed_bytes(key: bytes, ref: PostedRef, state: Posted) -> bytes:
    """The bytes of a signed credential. Raises DriftError unless they are those that were signed."""
    issued, signed = state.issued, state.signed
    if signed is None:
        raise ValueError("a credential that is not signed has no signed bytes")
    made = Made.model_validate_json(opened_of(key, ref, signed.stream, signed.sealed))
    document = content_of(key, ref, issued).document
    data = reassembled(document, issued, made.proofs)
    return undrifted(data, made.document_sha256, issued.credential_id, "this code")


def _forgotten() -> Gone:
    return Gone("credential-forgotten", "This credential was forgotten: what was in it is not kept here.")
