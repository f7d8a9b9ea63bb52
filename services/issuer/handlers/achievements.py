"""A caller publishes an achievement or a new version: immutable, and refused unless a badge of it passes.

Whether credentials of it could be signed is found out now, not when the first learner has passed: a sample
credential is rendered, linted and hashed by every suite in use.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.issuer import domain, store
from services.issuer.documents.addresses import Addresses
from services.issuer.documents.credential import (
    CONTEXTS,
    CredentialFacts,
    Holes,
    render_credential,
)
from services.issuer.documents.signed import proof_configs
from services.issuer.documents.tokens import renderer_for
from services.issuer.forms import Forms
from services.issuer.handlers.linting import lint_sample, pinned_contexts
from services.issuer.handlers.retrying import retrying
from services.issuer.projections import project
from services.issuer.store import Tenant
from shared import clock
from shared.contracts.achievements import AchievementDefinition, AchievementPublished
from shared.contracts.credentials import (
    CredentialIssued,
    PlannedProof,
    PlannedToken,
    StatusEntry,
)
from shared.contracts.issuers import IssuerProfile
from shared.contracts.sealed import (
    EVIDENCE_LINKS_MAX,
    SealedAssessment,
    SealedEvidence,
    SealedLearner,
    SealedResult,
)
from shared.database import Database
from shared.errors import Invalid, NotFound
from shared.eventstore import Append, Meta
from shared.proofs.safe_mode import Hash
from shared.proofs.strictjson import JsonObject

VERSIONS_SHOWN_MAX = 100
_SAMPLE_ID = "00000000-0000-8000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class AchievementView:
    """A version as it stands. `created` is false if the same content stood there already."""

    achievement_id: str
    version: int
    published_at: datetime
    definition: AchievementDefinition
    created: bool


class Achievements:
    """Holds what publishing depends on."""

    def __init__(self, database: Database, addresses: Addresses, hash_data: Hash, forms: Forms) -> None:
        self._database = database
        self._addresses = addresses
        self._hash_data = hash_data
        self._forms = forms

    async def publish(
        self, issuer_id: str, achievement_id: str | None, definition: AchievementDefinition, meta: Meta
    ) -> AchievementView:
        """Publish version 1. With `achievement_id` (a UUIDv7) a repeated call has the same answer.

        Raises Conflict if that id has another content, Invalid with reasons if no badge of it would pass.
        """
        named = achievement_id or str(clock.ordered_uuid())
        return await retrying(lambda: self._publish(issuer_id, named, definition, meta, first=True))

    async def publish_version(
        self, issuer_id: str, achievement_id: str, definition: AchievementDefinition, meta: Meta
    ) -> AchievementView:
        """Publish the next version; the content of the newest changes nothing. Raises NotFound, Invalid."""
        return await retrying(lambda: self._publish(issuer_id, achievement_id, definition, meta, first=False))

    async def versions(self, issuer_id: str, achievement_id: str) -> list[AchievementView]:
        """Return the newest VERSIONS_SHOWN_MAX versions, newest first. Raises NotFound."""
        async with self._database.connection() as connection:
            rows = await store.achievement_versions(connection, issuer_id, achievement_id, VERSIONS_SHOWN_MAX)
        if not rows:
            raise NotFound("achievement-unknown", "There is no such achievement.")
        return [
            AchievementView(achievement_id, version, published_at, definition, created=False)
            for version, published_at, definition in rows
        ]

    async def _publish(
        self,
        issuer_id: str,
        achievement_id: str,
        definition: AchievementDefinition,
        meta: Meta,
        *,
        first: bool,
    ) -> AchievementView:
        await self._judge(issuer_id, achievement_id, definition)
        key = (issuer_id, f"{AchievementPublished.STREAM}-{achievement_id}")
        async with self._database.session() as session:
            if first:  # a later version needs one of the tenant's own, which no other has
                await store.lock_achievement_id(session.connection, issuer_id, achievement_id)
            history = (await session.load([key]))[key]
            published = [each.event for each in history if isinstance(each.event, AchievementPublished)]
            events = domain.decide_publish_achievement(
                published, achievement_id, definition, first=first, at=session.at
            )
            appends = [Append(*key, len(history), tuple(events), meta)] if events else []
            await project(session.connection, await session.append(appends))
        shown = events[0] if events else published[0 if first else -1]
        return AchievementView(
            achievement_id, shown.version, shown.published_at, shown.definition, created=bool(events)
        )

    async def _judge(self, issuer_id: str, achievement_id: str, definition: AchievementDefinition) -> None:
        """Raise Invalid unless a credential of this achievement could be earned and signed."""
        domain.demand_consistent(definition)  # first: what a document would say of it names no criterion
        async with self._database.connection() as connection:
            tenant = (await store.tenants(connection, [issuer_id])).get(issuer_id)
            profile = await store.newest_profile(connection, issuer_id)
        if tenant is None or profile is None:
            raise NotFound("issuer-unknown", "There is no such issuer.")
        document, configs = self._sample(tenant, profile[1], achievement_id, definition)
        lint_sample(document, configs)
        for config in configs:
            answers = await self._hash_data(str(config["cryptosuite"]), [(document, config)])
            for answer in answers:
                if isinstance(answer, Invalid):
                    raise answer

    def _sample(
        self,
        tenant: Tenant,
        profile: IssuerProfile,
        achievement_id: str,
        definition: AchievementDefinition,
    ) -> tuple[JsonObject, list[JsonObject]]:
        at = clock.now()
        signing = self._forms.plan(tenant.keys, at)
        tokens = tuple(PlannedToken(form=form) for form, _ in signing.tokens)
        issued = CredentialIssued(
            credential_id=_SAMPLE_ID,
            assessment_id="sample",
            learner_id=_SAMPLE_ID,
            achievement_id=achievement_id,
            achievement_version=1,
            profile_version=tenant.profile_version,
            renderer=renderer_for(tokens),
            contexts=pinned_contexts(CONTEXTS),
            proofs=tuple(
                PlannedProof(id=f"urn:uuid:{_SAMPLE_ID[:-1]}{number}", cryptosuite=suite)
                for number, (suite, _) in enumerate(signing.proofs)
            ),
            key_id=signing.key_id,
            status=StatusEntry(list_id=_SAMPLE_ID, index=0),
            created=at,
            valid_from=at,
            awarded_at=at,
            sealed="",
        )
        facts = CredentialFacts(
            self._addresses, tenant.issuer_id, tenant.did, profile, definition, issued, _holes(definition)
        )
        document = render_credential(issued.renderer, facts)
        return document, proof_configs(document, issued.proofs, issued.key_id, issued.created)


def _holes(definition: AchievementDefinition) -> Holes:
    """A learner who reached the first level of every criterion, with as much beside it as there may be."""
    results = tuple(
        SealedResult(
            criterion_id=criterion.id,
            criterion_name=criterion.name,
            level_id=criterion.levels[0].id,
            level_name=criterion.levels[0].name,
            points=criterion.levels[0].points,
            points_max=max(level.points for level in criterion.levels),
            weight=criterion.weight,
        )
        for criterion in definition.rubric.criteria
    )
    assessment = SealedAssessment(
        learner=SealedLearner(name="Sample", email="sample@example.org"),
        results=results,
        score_percent="100.00",
        assessor="Sample",
        supervision="none",
        identity_check="none",
        evidence=tuple(
            SealedEvidence(url=f"https://example.org/{number}", name="Sample", description="Sample")
            for number in range(EVIDENCE_LINKS_MAX)
        ),
        narrative="Sample",
    )
    return Holes(assessment=assessment, email_salt="0" * 32, name_salt="0" * 32)
