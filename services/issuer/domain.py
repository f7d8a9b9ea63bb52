"""What the issuer decides, without I/O: whether to issue, to sign, to revoke, and what may be published.

States are folds of their stream (`evolve`); a decision already taken answers with no events, so that a
redelivered record and a replay stay quiet. Times, ids, secrets and indexes are arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from pydantic import ValidationError

from shared.contracts.achievements import AchievementDefinition, AchievementPublished, SecondPass
from shared.contracts.assessments import AssessmentPassed
from shared.contracts.credentials import (
    CredentialIssued,
    CredentialRevoked,
    CredentialSigned,
    MadeProof,
    MadeToken,
    PinnedContext,
    PlannedProof,
    PlannedToken,
    RevocationReason,
    StatusEntry,
)
from shared.contracts.event import Event
from shared.contracts.issuers import ApiKeyCreated, ApiKeyRevoked, IssuerProfile, IssuerPublished
from shared.contracts.status_lists import StatusListPublished
from shared.errors import Conflict, Invalid, NotFound
from shared.refusals import reasons_of

CredentialEvent = CredentialIssued | CredentialSigned | CredentialRevoked


class Credential(NamedTuple):
    """A credential's life so far; each step happens once."""

    issued: CredentialIssued
    signed: CredentialSigned | None = None
    revoked: CredentialRevoked | None = None


def evolve(state: Credential | None, event: Event) -> Credential | None:
    """The credential after `event`; events of other kinds change nothing."""
    if isinstance(event, CredentialIssued):
        return Credential(event)
    if state is not None and isinstance(event, CredentialSigned):
        return state._replace(signed=event)
    if state is not None and isinstance(event, CredentialRevoked):
        return state._replace(revoked=event)
    return state


def credential_of(events: Iterable[Event]) -> Credential | None:
    """Fold a credential's stream; None for an empty one."""
    state: Credential | None = None
    for event in events:
        state = evolve(state, event)
    return state


class IssuePlan(NamedTuple):
    """That a credential will be issued, and which one it replaces once it is signed."""

    supersedes: str | None = None


def plan_issue(issued: bool, held: str | None, policy: SecondPass) -> IssuePlan | None:
    """Whether a passed assessment makes a new credential; None if not.

    `issued`: this very assessment has one already. `held`: the id of the learner's newest credential of the
    achievement, unless it was withdrawn: a pass after a withdrawal issues under every policy.
    """
    if issued:
        return None
    if held is None or policy is SecondPass.ISSUE_AGAIN:
        return IssuePlan()
    return IssuePlan(supersedes=held) if policy is SecondPass.SUPERSEDE else None


class Making(NamedTuple):
    """How a tenant makes credentials at the moment of issuing; all of it is pinned by the intent."""

    profile_version: int
    key_id: str
    renderer: int
    contexts: tuple[PinnedContext, ...]
    proofs: tuple[PlannedProof, ...]
    tokens: tuple[PlannedToken, ...] = ()


def decide_issue(
    plan: IssuePlan,
    passed: AssessmentPassed,
    *,
    credential_id: str,
    making: Making,
    status: StatusEntry,
    sealed: str,
    validity_days: int | None,
    at: datetime,
) -> list[CredentialIssued]:
    """The intent: complete to the byte, so that nothing is left to decide when it is signed."""
    return [
        CredentialIssued(
            credential_id=credential_id,
            assessment_id=passed.assessment_id,
            learner_id=passed.learner_id,
            achievement_id=passed.achievement_id,
            achievement_version=passed.achievement_version,
            profile_version=making.profile_version,
            renderer=making.renderer,
            contexts=making.contexts,
            proofs=making.proofs,
            tokens=making.tokens,
            key_id=making.key_id,
            status=status,
            created=at,
            valid_from=at,
            valid_until=at + timedelta(days=validity_days) if validity_days is not None else None,
            awarded_at=passed.assessed_at,
            supersedes=plan.supersedes,
            sealed=sealed,
        )
    ]


class Signing(NamedTuple):
    """What was made for an intent: proofs and tokens, the digest of the signed bytes, whom to tell."""

    proofs: tuple[MadeProof, ...]
    tokens: tuple[MadeToken, ...]
    document_sha256: str
    achievement_name: str
    issuer_name: str
    contact: str


def decide_sign(state: Credential, signing: Signing, at: datetime) -> list[CredentialSigned]:
    """Record a signature once; nothing for a credential that is signed, or was revoked before it was."""
    if state.signed is not None or state.revoked is not None:
        return []
    issued = state.issued
    return [
        CredentialSigned(
            credential_id=issued.credential_id,
            learner_id=issued.learner_id,
            achievement_id=issued.achievement_id,
            achievement_version=issued.achievement_version,
            achievement_name=signing.achievement_name,
            issuer_name=signing.issuer_name,
            key_id=issued.key_id,
            proofs=signing.proofs,
            tokens=signing.tokens,
            document_sha256=signing.document_sha256,
            signed_at=at,
            contact=signing.contact,
        )
    ]


def decide_revoke(
    state: Credential | None, reason: RevocationReason, at: datetime
) -> list[CredentialRevoked]:
    """Withdraw for good; nothing if it was withdrawn before. Raises NotFound for an unknown credential."""
    if state is None:
        raise NotFound("credential-unknown", "There is no such credential.")
    if state.revoked is not None:
        return []
    issued = state.issued
    return [
        CredentialRevoked(
            credential_id=issued.credential_id,
            learner_id=issued.learner_id,
            reason=reason,
            status=issued.status,
            revoked_at=at,
        )
    ]


def held_again(state: Credential | None, reason: RevocationReason) -> str | None:
    """The older credential that the learner holds again once this one is withdrawn; None if there is none.

    A successor ends what it supersedes when it is signed: withdrawn before that, it leaves it good.
    """
    if state is None or state.signed is not None or reason == "superseded":
        return None
    return state.issued.supersedes


def decide_list_version(
    version: int, list_id: str, credential: str, at: datetime, valid_until: datetime
) -> list[StatusListPublished]:
    """The next version of a status list after `version` (0: it is new), with its signed document."""
    return [
        StatusListPublished(
            list_id=list_id,
            version=version + 1,
            credential=credential,
            published_at=at,
            valid_until=valid_until,
        )
    ]


def decide_publish_achievement(
    published: Sequence[AchievementPublished],
    achievement_id: str,
    definition: AchievementDefinition,
    *,
    first: bool,
    at: datetime,
) -> list[AchievementPublished]:
    """A new immutable version, or nothing where the same content stands there already.

    `published` are all versions so far. As `first` version the content must equal version 1, if there is
    one (Conflict); a later version needs a first (NotFound). Raises Invalid where the rubric contradicts
    itself.
    """
    if first and published:
        if published[0].definition == definition:
            return []
        raise Conflict(
            "achievement-exists",
            "An achievement with this id and another content exists; publish a new version of it instead.",
        )
    if not first and not published:
        raise NotFound("achievement-unknown", "There is no such achievement.")
    if published and published[-1].definition == definition:
        return []
    demand_consistent(definition)
    return [
        AchievementPublished(
            achievement_id=achievement_id,
            version=len(published) + 1,
            definition=definition,
            published_at=at,
        )
    ]


def demand_consistent(definition: AchievementDefinition) -> None:
    """Raise Invalid('achievement-invalid') with a reason for each contradiction that no schema tells.

    By a rubric that passes every result can be scored. Repeated tags: a signed set would hold them once.
    """
    if reasons := tuple(_contradictions(definition)):
        raise Invalid("achievement-invalid", "The achievement contradicts itself.", reasons)


def _contradictions(definition: AchievementDefinition) -> list[str]:
    found = []
    criteria = definition.rubric.criteria
    if len({criterion.id for criterion in criteria}) < len(criteria):
        found.append("rubric.criteria: two criteria have one id")
    for criterion in criteria:
        if len({level.id for level in criterion.levels}) < len(criterion.levels):
            found.append(f"rubric.criteria.{criterion.id}: two levels have one id")
        if max(level.points for level in criterion.levels) == 0:
            found.append(f"rubric.criteria.{criterion.id}: no level gives a point")
    for name, values in (("tags", definition.tags), ("outcomes", definition.outcomes)):
        if len(set(values)) < len(values):
            found.append(f"{name}: one of them stands there twice")
    return found


def profile_of(fields: Mapping[str, object]) -> IssuerProfile:
    """The profile that `fields` describe. Raises Invalid('profile-invalid') with a reason for each fault."""
    try:
        return IssuerProfile.model_validate(fields)
    except ValidationError as refusal:
        reasons = reasons_of(refusal.errors())
        raise Invalid("profile-invalid", "This profile cannot be published.", reasons) from None


def decide_create_issuer(
    existing: IssuerPublished | None, slug: str, did: str, profile: IssuerProfile, at: datetime
) -> list[IssuerPublished]:
    """The first version of a tenant's profile, or nothing if it stands there; Conflict if another does."""
    if existing is None:
        return [
            IssuerPublished(slug=slug, did=did, profile_version=1, profile=profile, published_at=at),
        ]
    if existing.profile == profile:
        return []
    raise Conflict(
        "issuer-exists",
        "An issuer with this slug and another profile exists;"
        f" 'microcred issuers update {slug}' publishes a new version of its profile.",
    )


def decide_publish_profile(
    newest: IssuerPublished | None, changes: Mapping[str, str | None], at: datetime
) -> list[IssuerPublished]:
    """The next version of a profile, in which `changes` names fields and new values; None takes one away.

    Nothing if nothing changed. Raises NotFound for an unknown issuer, and Invalid('profile-invalid').
    """
    if newest is None:
        raise NotFound("issuer-unknown", "There is no such issuer.")
    profile = profile_of({**newest.profile.model_dump(), **changes})
    if newest.profile == profile:
        return []
    version = newest.profile_version + 1
    return [newest.model_copy(update={"profile_version": version, "profile": profile, "published_at": at})]


def decide_revoke_api_key(events: Sequence[Event], prefix: str, at: datetime) -> list[ApiKeyRevoked]:
    """End an API key; nothing if it was ended before. Raises NotFound for an unknown one."""
    if not any(isinstance(event, ApiKeyCreated) for event in events):
        raise NotFound("api-key-unknown", "This issuer has no API key with this prefix.")
    if any(isinstance(event, ApiKeyRevoked) for event in events):
        return []
    return [ApiKeyRevoked(prefix=prefix, revoked_at=at)]
