"""The lane from assessment.passed to credential.issued: the intent, complete to the byte, before any key.

Steps 7 to 9 of docs/ISSUANCE-CYCLE.md. What is personal is opened and sealed again for the credential's own
stream. A learner who was erased meanwhile is passed over. Whatever the number of records, the statements of
a batch are the same few.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import uuid_utils

from services.issuer import domain, store
from services.issuer.documents.credential import CONTEXTS, holes_around
from services.issuer.documents.tokens import renderer_for
from services.issuer.forms import Forms, SigningPlan
from services.issuer.handlers.linting import pinned_contexts
from services.issuer.handlers.meta import caused_by
from services.issuer.handlers.skips import skipped
from services.issuer.handlers.tenant_secrets import StatusEntries, TenantSecrets, credential_id
from services.issuer.holding_store import HoldingKey, hold, lock_holdings
from services.issuer.projections import project
from services.issuer.store import Tenant, VersionKey
from shared.contracts.achievements import AchievementDefinition
from shared.contracts.assessments import AssessmentPassed
from shared.contracts.credentials import CredentialIssued, PlannedProof, PlannedToken
from shared.database import Database
from shared.errors import NotFound
from shared.eventstore import Append, Recorded, Session
from shared.eventstore.log import StreamKey
from shared.sealing import open_sealed, seal
from shared.vault import LearnerKeys

LANE = "issuer.issue"
SALT_BYTES = 16


class Resealed(NamedTuple):
    """The credential that an assessment would make, and what is personal in it, sealed for its stream."""

    credential_id: str
    stream: StreamKey
    sealed: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was made before the transaction: tenants with their secrets, and by event id what is resealed."""

    tenants: Mapping[str, Tenant]
    secrets: Mapping[str, bytes]
    resealed: Mapping[UUID, Resealed]


class Wanted(NamedTuple):
    """A passed assessment of a known learner, with the credential it would make and the keys of all three."""

    cause: Recorded
    passed: AssessmentPassed
    resealed: Resealed
    holding: HoldingKey
    version: VersionKey

    @property
    def credential_id(self) -> str:
        return self.resealed.credential_id

    @property
    def stream(self) -> StreamKey:
        return self.resealed.stream

    @classmethod
    def of(cls, cause: Recorded, passed: AssessmentPassed, resealed: Resealed) -> Wanted:
        """Put together what is asked for again and again."""
        issuer_id, achievement_id = cause.issuer_id, passed.achievement_id
        return cls(
            cause,
            passed,
            resealed,
            (issuer_id, passed.learner_id, achievement_id),
            (issuer_id, achievement_id, passed.achievement_version),
        )


class Issue:
    """Holds what issuing depends on; `prepare` and `handle` are the two halves of the lane."""

    def __init__(
        self,
        database: Database,
        learner_keys: LearnerKeys,
        secrets: TenantSecrets,
        forms: Forms,
    ) -> None:
        self._database = database
        self._learner_keys = learner_keys
        self._secrets = secrets
        self._forms = forms
        self._contexts = pinned_contexts(CONTEXTS)

    async def prepare(self, batch: Sequence[Recorded]) -> Prepared:
        """Open what is personal and seal it for the credentials' streams. Raises Unavailable, NotFound."""
        passed = [(each, each.event) for each in batch if isinstance(each.event, AssessmentPassed)]
        async with self._database.connection() as connection:
            tenants = await store.tenants(connection, {each.issuer_id for each, _ in passed})
        secrets = {
            issuer_id: self._secrets.open(issuer_id, tenant.wrapped_secret)
            for issuer_id, tenant in tenants.items()
        }
        keys = await self._learner_keys.of((each.issuer_id, event.learner_id) for each, event in passed)
        resealed = {}
        for each, event in passed:
            if each.issuer_id not in tenants:
                raise NotFound("issuer-unknown", "The assessment belongs to an issuer that does not exist.")
            key = keys[(each.issuer_id, event.learner_id)]
            if key is not None:
                named = credential_id(secrets[each.issuer_id], event.assessment_id)
                stream = _stream(each.issuer_id, named)
                resealed[each.id] = Resealed(named, stream, _reseal(key, each, event, stream[1]))
        return Prepared(tenants, secrets, resealed)

    async def handle(self, batch: Sequence[Recorded], session: Session, prepared: Prepared) -> None:
        """Decide for each assessment, reserve the places of all with one UPDATE, append the intents."""
        wanted = [
            Wanted.of(each, each.event, prepared.resealed[each.id])
            for each in batch
            if isinstance(each.event, AssessmentPassed) and each.id in prepared.resealed
        ]
        skipped(LANE, "learner-erased", len(batch) - len(wanted))
        if not wanted:
            return
        plans, definitions = await self._plan(session, wanted)
        skipped(LANE, "already-held", len(wanted) - len(plans))
        if not plans:
            return
        numbers = Counter(each.cause.issuer_id for each, _ in plans)
        places = await store.reserve_places(session.connection, numbers)
        # Only now, with the tenants locked: a key that was retired meanwhile begins nothing any more.
        keys = await store.published_keys(session.connection, numbers)
        signing = {issuer_id: self._forms.plan(keys[issuer_id], session.at) for issuer_id in numbers}
        appends: list[Append] = []
        entries = {issuer_id: StatusEntries(prepared.secrets[issuer_id]) for issuer_id in numbers}
        for each, plan in plans:
            issuer_id = each.cause.issuer_id
            status = entries[issuer_id].entry(places[issuer_id])
            places[issuer_id] += 1
            making = self._making(each, prepared.tenants[issuer_id], signing[issuer_id])
            events = domain.decide_issue(
                plan,
                each.passed,
                credential_id=each.credential_id,
                making=making,
                status=status,
                sealed=each.resealed.sealed,
                validity_days=definitions[each.version].validity_days,
                at=session.at,
            )
            appends.append(Append(*each.stream, 0, tuple(events), caused_by(each.cause, LANE)))
        await project(session.connection, await session.append(appends))

    async def _plan(
        self, session: Session, wanted: Sequence[Wanted]
    ) -> tuple[list[tuple[Wanted, domain.IssuePlan]], Mapping[VersionKey, AchievementDefinition]]:
        """Which of `wanted` are issued. Holdings are locked first: two passes of one learner take turns."""
        opened = {each.holding: each.credential_id for each in reversed(wanted)}  # the first of each
        held = await lock_holdings(session.connection, opened)
        definitions = await store.definitions(session.connection, (each.version for each in wanted))
        # Whoever never held anything of an achievement was never issued a credential of it: where all of the
        # holdings are new, there is nothing to load.
        streams = {each.stream for each in wanted if held[each.holding] is not None}
        streams |= {_stream(key[0], holder) for key, holder in held.items() if holder is not None}
        histories = await session.load(streams)
        known = {
            stream: domain.credential_of(recorded.event for recorded in history)
            for stream, history in histories.items()
        }
        in_force: dict[HoldingKey, str | None] = {}
        for key, holder in held.items():
            state = known[_stream(key[0], holder)] if holder is not None else None
            in_force[key] = holder if state is not None and state.revoked is None else None
        issued = {stream for stream, state in known.items() if state is not None}
        plans = []
        for each in wanted:
            if each.version not in definitions:
                raise NotFound("achievement-unknown", "The assessment names an unknown achievement version.")
            policy = definitions[each.version].on_second_pass
            plan = domain.plan_issue(each.stream in issued, in_force[each.holding], policy)
            if plan is not None:
                plans.append((each, plan))
                issued.add(each.stream)
                in_force[each.holding] = each.credential_id
        moved = {
            each.holding: each.credential_id
            for each, _ in plans
            if each.credential_id != (held[each.holding] or opened[each.holding])
        }
        await hold(session.connection, moved)
        return plans, definitions

    def _making(self, wanted: Wanted, tenant: Tenant, signing: SigningPlan) -> domain.Making:
        tokens = tuple(PlannedToken(form=form, key_id=signing.named(key)) for form, key in signing.tokens)
        return domain.Making(
            profile_version=tenant.profile_version,
            key_id=signing.key_id,
            renderer=renderer_for(tokens),
            contexts=self._contexts,
            proofs=planned_proofs(wanted.credential_id, signing),
            tokens=tokens,
        )


def _reseal(key: bytes, cause: Recorded, passed: AssessmentPassed, stream: str) -> str:
    """Open the assessment's record and seal it, with fresh salts, for the credential's stream.

    The record is not read: only its learner's key opens it, the assessor wrote what it opens to, and signing
    reads it.
    """
    plaintext = open_sealed(
        key, passed.sealed, issuer_id=cause.issuer_id, learner_id=passed.learner_id, stream=cause.stream
    )
    holes = holes_around(plaintext, os.urandom(SALT_BYTES).hex(), os.urandom(SALT_BYTES).hex())
    return seal(
        key,
        holes,
        issuer_id=cause.issuer_id,
        learner_id=passed.learner_id,
        stream=stream,
    )


def planned_proofs(credential: str, signing: SigningPlan) -> tuple[PlannedProof, ...]:
    """The proofs of a credential. Their ids derive (UUIDv5, RFC 9562 section 5.5): a retry plans no other."""
    return tuple(
        PlannedProof(
            id=f"urn:uuid:{uuid_utils.uuid5(uuid_utils.UUID(credential), suite)}",
            cryptosuite=suite,
            key_id=signing.named(key),
        )
        for suite, key in signing.proofs
    )


def _stream(issuer_id: str, credential: str) -> StreamKey:
    return issuer_id, f"{CredentialIssued.STREAM}-{credential}"
