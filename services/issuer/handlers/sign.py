"""The lane from credential.issued to credential.signed (step 10 of docs/ISSUANCE-CYCLE.md).

The slow part runs before the transaction, in an order that never changes: render the intent → lint → hash
(where safe mode refuses what would be dropped) → sign → verify with the published key. Then, in the
transaction, the stream is read again: a credential that was revoked meanwhile is not signed, one whose
learner was erased cannot be. A credential that supersedes another ends it in the same append, never before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from services.issuer import domain
from services.issuer.documents.credential import Common, CredentialFacts, render_common, render_credential
from services.issuer.documents.signed import (
    digest,
    document_bytes,
    made_proofs,
    proof_configs,
    with_signatures,
)
from services.issuer.handlers.linting import BadgeLint, check_contexts
from services.issuer.handlers.meta import caused_by
from services.issuer.handlers.proving import Draft, Prover, keys_to_sign_with, prove
from services.issuer.handlers.rendering import Intent, Rendering
from services.issuer.handlers.signing_keys import SigningKeys
from services.issuer.handlers.skips import skipped
from services.issuer.handlers.token_signing import sign_tokens, unsigned_tokens
from services.issuer.projections import project
from services.issuer.store import KeyRef
from shared import clock, telemetry
from shared.contracts import sealed
from shared.contracts.credentials import CredentialIssued, MadeToken
from shared.database import Database
from shared.errors import NotFound
from shared.eventstore import Append, Meta, Recorded, Session
from shared.eventstore.log import StreamKey
from shared.proofs.public_keys import PublicKey
from shared.sealing import seal
from shared.vault import LearnerKeys

LANE = "issuer.sign"
ASSESSED_TO_SIGNED = telemetry.END_TO_END_SECONDS.labels("assessed-to-signed")
RENDERED_PER_TURN = 16
"""Documents rendered and linted before others of this process may run."""

_Versions = tuple[int, str, int, str, int]
"""(renderer, issuer_id, profile version, achievement_id, achievement version)"""
Prepared = Mapping[UUID, domain.Signing]
"""By id of the credential.issued; an erased learner's is absent."""


class Sign:
    """Holds what signing depends on; `prepare` and `handle` are the two halves of the lane."""

    def __init__(
        self,
        database: Database,
        learner_keys: LearnerKeys,
        rendering: Rendering,
        signing_keys: SigningKeys,
        prover: Prover,
    ) -> None:
        self._database = database
        self._learner_keys = learner_keys
        self._rendering = rendering
        self._signing_keys = signing_keys
        self._prover = prover

    async def prepare(self, batch: Sequence[Recorded]) -> Prepared:
        """Make every signature of the batch. Raises Invalid for what may not be signed, Unavailable."""
        intents: list[tuple[Recorded, Intent]] = [
            (each, (each.issuer_id, each.event)) for each in batch if isinstance(each.event, CredentialIssued)
        ]
        holes = await self._rendering.open([intent for _, intent in intents])
        opened = [
            (each, (intent, hole))
            for (each, intent), hole in zip(intents, holes, strict=True)
            if hole is not None
        ]
        wanted = [
            ((issuer_id, key_id), issued.created)
            for _, ((issuer_id, issued), _) in opened
            for key_id in issued.key_ids
        ]
        async with self._database.connection() as connection:
            facts = await self._rendering.facts(connection, [pair for _, pair in opened])
            public_keys = await keys_to_sign_with(connection, wanted)
        signers = await self._signing_keys.of(public_keys)
        drafts = await self._drafts(facts, public_keys)
        tokens = [unsigned_tokens(fact, draft) for fact, draft in zip(facts, drafts, strict=True)]
        signatures = await prove(self._prover, signers, drafts)
        made_tokens = await sign_tokens(signers, drafts, tokens)
        contacts = await self._contacts(facts)
        return {
            each.id: _signing(fact, draft, made, of_tokens, contact)
            for (each, _), fact, draft, made, of_tokens, contact in zip(
                opened, facts, drafts, signatures, made_tokens, contacts, strict=True
            )
            if contact is not None
        }

    async def _drafts(
        self, facts: Sequence[CredentialFacts], public_keys: Mapping[KeyRef, PublicKey]
    ) -> list[Draft]:
        """Render and lint all of them before any is signed; what some have in common, once."""
        drafts = []
        shared: dict[_Versions, tuple[Common, BadgeLint]] = {}
        for number, fact in enumerate(facts, start=1):
            issued = fact.issued
            versions = _versions(fact)
            if versions not in shared:
                common = render_common(issued.renderer, fact)
                shared[versions] = common, BadgeLint(common)
            common, lint = shared[versions]
            document = render_credential(issued.renderer, fact, common)
            check_contexts(document, issued.contexts)
            configs = proof_configs(document, issued.proofs, issued.key_id, issued.created)
            lint(document, configs)
            drafts.append(Draft(document, configs, fact.issuer_id, public_keys))
            if number % RENDERED_PER_TURN == 0:
                await asyncio.sleep(0)
        return drafts

    async def _contacts(self, facts: Sequence[CredentialFacts]) -> list[str | None]:
        """Name and e-mail, sealed for the announcement; None where the learner was erased meanwhile."""
        keys = await self._learner_keys.of((fact.issuer_id, fact.issued.learner_id) for fact in facts)
        contacts: list[str | None] = []
        for fact in facts:
            key = keys[(fact.issuer_id, fact.issued.learner_id)]
            contacts.append(
                seal(
                    key,
                    sealed.encode(fact.holes.assessment.learner),
                    issuer_id=fact.issuer_id,
                    learner_id=fact.issued.learner_id,
                    stream=fact.issued.stream,
                )
                if key is not None
                else None
            )
        return contacts

    async def handle(self, batch: Sequence[Recorded], session: Session, prepared: Prepared) -> None:
        """Append what was signed, and the end of what it supersedes."""
        ready = [each for each in batch if each.id in prepared]
        skipped(LANE, "learner-erased", len(batch) - len(ready))
        superseded = {old for each in ready if (old := _superseded(each)) is not None}
        work = _Work(await session.load_from(ready) | await session.load(superseded))
        signed, now = 0, clock.now()
        for each in ready:
            key = (each.issuer_id, each.stream)
            state = work.states[key]
            if state is None:
                raise NotFound("credential-unknown", "A credential to be signed is not in the log.")
            events = domain.decide_sign(state, prepared[each.id], session.at)
            if not events:
                continue
            signed += 1
            meta = caused_by(each, LANE)
            work.add(key, events, meta)
            old = _superseded(each)
            if old is not None and work.states[old] is not None:
                work.add(old, domain.decide_revoke(work.states[old], "superseded", session.at), meta)
            _measure(each, now)
        skipped(LANE, "revoked-before-signing", len(ready) - signed)
        await project(session.connection, await session.append(work.appends))


class _Work:
    """The streams of a batch as they will stand after it: one may be signed and superseded at once."""

    def __init__(self, histories: Mapping[StreamKey, Sequence[Recorded]]) -> None:
        self.states = {
            key: domain.credential_of(recorded.event for recorded in history)
            for key, history in histories.items()
        }
        self.appends: list[Append] = []
        self._versions = {key: past[-1].version if past else 0 for key, past in histories.items()}

    def add(self, key: StreamKey, events: Sequence[domain.CredentialEvent], meta: Meta) -> None:
        if not events:
            return
        self.appends.append(Append(*key, self._versions[key], tuple(events), meta))
        self._versions[key] += len(events)
        for event in events:
            self.states[key] = domain.evolve(self.states[key], event)


def _versions(fact: CredentialFacts) -> _Versions:
    issued = fact.issued
    achievement = issued.achievement_id, issued.achievement_version
    return issued.renderer, fact.issuer_id, issued.profile_version, *achievement


def _signing(
    fact: CredentialFacts,
    draft: Draft,
    signatures: Sequence[bytes],
    tokens: tuple[MadeToken, ...],
    contact: str,
) -> domain.Signing:
    document = with_signatures(draft.document, draft.configs, signatures)
    return domain.Signing(
        proofs=made_proofs(document),
        tokens=tokens,
        document_sha256=digest(document_bytes(document)),
        achievement_name=fact.definition.name,
        issuer_name=fact.profile.name,
        contact=contact,
    )


def _measure(each: Recorded, now: datetime) -> None:
    """Observe the time since the assessment's event: its id is the intent's cause, and tells its moment.

    Not since `awarded_at`, which is the submitter's word and may lie years back.
    """
    began = clock.uuid7_instant(each.meta.causation) if each.meta.causation is not None else None
    if began is not None:
        ASSESSED_TO_SIGNED.observe((now - began).total_seconds())


def _superseded(each: Recorded) -> StreamKey | None:
    if not isinstance(each.event, CredentialIssued) or each.event.supersedes is None:
        return None
    return each.issuer_id, f"{CredentialIssued.STREAM}-{each.event.supersedes}"
