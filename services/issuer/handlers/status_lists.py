"""Status lists: published anew when bits change or time runs out.

One writer per list: whoever publishes locks the list's row first, in sorted order, and appends to the list's
stream at the version it read. The list is signed inside that transaction, since its bits are those of the
locked row; that costs a millisecond a list, and a batch of revocations signs each touched list once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from services.issuer import domain, status_list_store, store
from services.issuer.documents.addresses import Addresses
from services.issuer.documents.signed import document_bytes, proof_configs, with_signatures
from services.issuer.documents.status_list import ListFacts, render_status_list
from services.issuer.forms import Forms, SigningPlan
from services.issuer.handlers.linting import lint_credential
from services.issuer.handlers.meta import caused_by
from services.issuer.handlers.proving import Draft, Prover, prove
from services.issuer.handlers.signing_keys import SigningKeys
from services.issuer.projections import project
from services.issuer.status_list_store import ListKey, ListRow
from services.issuer.store import Tenant
from shared import clock, telemetry
from shared.contracts.credentials import CredentialRevoked, PlannedProof
from shared.contracts.posted import PostedCredentialRevoked
from shared.errors import NotFound
from shared.eventstore import Append, Meta, Recorded, Session
from shared.proofs import multikey
from shared.proofs.bitstring import Bitstring
from shared.proofs.strictjson import JsonObject

PUBLISH_LANE = "issuer.publish_status"
REVOCATIONS = (CredentialRevoked, PostedCredentialRevoked)
"""What the lane hears: each sets one bit."""


@dataclass(frozen=True, slots=True)
class Change:
    """A list row and the bits that its next version shows."""

    row: ListRow
    bits: bytes
    meta: Meta


@dataclass(frozen=True, slots=True)
class ListTerms:
    """How lists are made: in which forms, and for how long a version and a copy of it are good."""

    addresses: Addresses
    forms: Forms
    validity: timedelta
    ttl_ms: int


class StatusLists:
    """Makes new versions of status lists inside a caller's session."""

    def __init__(self, terms: ListTerms, prover: Prover, signing_keys: SigningKeys) -> None:
        self._terms = terms
        self._prover = prover
        self._signing_keys = signing_keys

    async def open(
        self, session: Session, names: Sequence[ListKey], tenants: Mapping[str, Tenant], meta: Meta
    ) -> list[Append]:
        """The all-zero first versions of the lists `names`."""
        zeros = Bitstring.zeros().data
        changes = [Change(ListRow(name, 0, zeros), zeros, meta) for name in names]
        return await self.next_versions(session, changes, tenants)

    async def next_versions(
        self, session: Session, changes: Sequence[Change], tenants: Mapping[str, Tenant]
    ) -> list[Append]:
        """Sign the next version of each list with the newest keys that its tenant signs with now."""
        if not changes:
            return []
        public_keys = {
            (tenant.issuer_id, key.key_id): multikey.key_of_text(key.public_key_multibase)
            for tenant in tenants.values()
            for key in tenant.keys
        }
        valid_until = session.at + self._terms.validity
        drafts = []
        for change in changes:
            issuer_id, name = change.row.key
            tenant = tenants[issuer_id]
            document = render_status_list(
                self._terms.addresses,
                ListFacts(name, tenant.did, change.bits, session.at, valid_until, self._terms.ttl_ms),
            )
            signing = self._terms.forms.plan(tenant.keys, session.at)
            configs = proof_configs(document, _planned(change.row, signing), signing.key_id, session.at)
            lint_credential(document, configs)
            drafts.append(Draft(document, configs, issuer_id, public_keys))
        signers = await self._signing_keys.of(
            draft.key(position) for draft in drafts for position in range(len(draft.configs))
        )
        signatures = await prove(self._prover, signers, drafts)
        return [
            _append(change, with_signatures(draft.document, draft.configs, made), session, valid_until)
            for change, draft, made in zip(changes, drafts, signatures, strict=True)
        ]


def _planned(row: ListRow, signing: SigningPlan) -> list[PlannedProof]:
    """One proof a suite; the id derives from list and version, so that a retry makes no other."""
    return [
        PlannedProof(
            id=f"urn:uuid:{uuid5(UUID(row.key[1]), f'{row.version + 1}/{suite}')}",
            cryptosuite=suite,
            key_id=signing.named(key),
        )
        for suite, key in signing.proofs
    ]


def _append(change: Change, document: JsonObject, session: Session, valid_until: Any) -> Append:
    issuer_id, name = change.row.key
    events = domain.decide_list_version(
        change.row.version, name, document_bytes(document).decode(), session.at, valid_until
    )
    return Append(issuer_id, events[0].stream, change.row.version, tuple(events), change.meta)


class PublishStatus:
    """The lane from revocations to status-list.published (step 12 of docs/ISSUANCE-CYCLE.md)."""

    def __init__(self, lists: StatusLists) -> None:
        self._lists = lists

    async def handle(self, batch: Sequence[Recorded], session: Session, _: Any) -> None:
        """Set the bits of the batch; publish each touched list once. Raises NotFound for a strange list."""
        revoked: dict[ListKey, set[int]] = defaultdict(set)
        causes: dict[ListKey, Recorded] = {}
        for recorded in batch:
            if isinstance(recorded.event, REVOCATIONS):
                key = (recorded.issuer_id, recorded.event.status.list_id)
                revoked[key].add(recorded.event.status.index)
                causes[key] = recorded
        rows = await status_list_store.lock_lists(session.connection, revoked)
        if len(rows) < len(revoked):
            raise NotFound(
                "status-list-unknown", "A revoked credential names a list that was never published."
            )
        tenants = await store.tenants(session.connection, {issuer_id for issuer_id, _ in revoked})
        changes = []
        for row in rows:
            bits = Bitstring(row.bits).with_bits(revoked[row.key]).data
            if bits != row.bits:
                changes.append(Change(row, bits, caused_by(causes[row.key], PUBLISH_LANE)))
        published = await session.append(await self._lists.next_versions(session, changes, tenants))
        await project(session.connection, published)
        for recorded in batch:
            if isinstance(recorded.event, REVOCATIONS):
                lag = clock.now() - recorded.event.revoked_at
                telemetry.END_TO_END_SECONDS.labels("revoked-to-published").observe(lag.total_seconds())
