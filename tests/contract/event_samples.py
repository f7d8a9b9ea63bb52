"""One complete sample of every event, all optional fields filled: what golden samples are made from."""

from __future__ import annotations

from datetime import UTC, datetime

from shared.contracts.achievements import (
    AchievementDefinition,
    AchievementPublished,
    Alignment,
    Level,
    Rubric,
    RubricCriterion,
    RubricLevel,
    SecondPass,
)
from shared.contracts.assessments import AssessmentFailed, AssessmentPassed, AssessmentSubmitted
from shared.contracts.credentials import (
    CredentialIssued,
    CredentialRevoked,
    CredentialSigned,
    MadeProof,
    MadeToken,
    PinnedContext,
    PlannedProof,
    PlannedToken,
    StatusEntry,
)
from shared.contracts.event import Event
from shared.contracts.issuers import (
    ApiKeyCreated,
    ApiKeyRevoked,
    IssuerKeyPublished,
    IssuerKeyRetired,
    IssuerProfile,
    IssuerPublished,
)
from shared.contracts.learners import LearnerErased
from shared.contracts.notifications import NotificationGaveUp, NotificationRequested, NotificationSent
from shared.contracts.posted import (
    PostedCredentialForgotten,
    PostedCredentialIssued,
    PostedCredentialRevoked,
    PostedCredentialSigned,
)
from shared.contracts.status_lists import StatusListPublished

AT = datetime(2026, 3, 14, 15, 9, 26, 535_000, UTC)
LATER = datetime(2031, 3, 14, 15, 9, 26, 535_000, UTC)
LEARNER = "0b4b7a5e-5a0c-4c37-9d1f-2f6d5d1c9a11"
ACHIEVEMENT = "01957c3e-2f00-7000-8000-000000000001"
CREDENTIAL = "5f0a3d1e-0c4b-8e2d-9a77-3a1b2c4d5e6f"
LIST = "01957c3e-2f00-7000-8000-000000000002"
NOTIFICATION = "7a1d6f7e-94a7-5d0e-8a43-0f0e1d2c3b4a"
DID = "did:web:credentials.example.edu:issuers:acme"
KEY = "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"
OTHER_KEY = "zDnaepBuvsQ8cpsWrVKw8fbpGpvPeNSjVPTWoq6cRqaYzBKVP"
PROOF = "urn:uuid:01957c3e-2f00-7000-8000-000000000003"
STATUS = StatusEntry(list_id=LIST, index=77_123)
ATTEMPT = {
    "assessment_id": "exam:2026-03:0042",
    "learner_id": LEARNER,
    "achievement_id": ACHIEVEMENT,
    "achievement_version": 2,
}

DEFINITION = AchievementDefinition(
    name="Statistics with open data",
    description="Finds, cleans and judges open data, and says how sure one can be.",
    criteria_narrative="A project on a data set of one's own choice, presented and defended.",
    outcomes=("Judges the quality of a data set", "Chooses and explains a test"),
    workload_hours=50,
    credits=2,
    level=Level(framework="EQF", value="6", url="https://europass.europa.eu/en/eqf-levels"),
    alignments=(
        Alignment(
            target_name="perform data analysis",
            target_url="http://data.europa.eu/esco/skill/2b92a5b2-6758-4ee3-9fb4-b6387a55cc8f",
            target_type="CFItem",
            target_framework="ESCO",
            target_code="2b92a5b2",
            target_description="Collects data and statistics to test and evaluate.",
        ),
    ),
    tags=("statistics", "open data"),
    language="en",
    field_of_study="Mathematics and statistics",
    assessment_type="Project and defence",
    participation="blended",
    quality_assurance="Reviewed yearly by the examination board.",
    rubric=Rubric(
        criteria=(
            RubricCriterion(
                id="method",
                name="Method",
                weight=60,
                levels=(
                    RubricLevel(id="poor", name="Poor", points=0, description="No method is named."),
                    RubricLevel(id="good", name="Good", points=10, description="The method fits."),
                ),
                description="How the question was tested.",
            ),
        ),
        pass_mark_percent=60,
    ),
    attempts_max=2,
    on_second_pass=SecondPass.SUPERSEDE,
    validity_days=1_826,
)

SAMPLES: tuple[Event, ...] = (
    AchievementPublished(achievement_id=ACHIEVEMENT, version=2, definition=DEFINITION, published_at=AT),
    AssessmentSubmitted(attempt=1, content_hmac="9f" * 32, submitted_at=AT, **ATTEMPT),
    AssessmentPassed(assessed_at=AT, sealed="c2VhbGVk", **ATTEMPT),
    AssessmentFailed(assessed_at=AT, sealed="c2VhbGVk", **ATTEMPT),
    CredentialIssued(
        credential_id=CREDENTIAL,
        assessment_id="exam:2026-03:0042",
        learner_id=LEARNER,
        achievement_id=ACHIEVEMENT,
        achievement_version=2,
        profile_version=1,
        renderer=1,
        contexts=(PinnedContext(url="https://www.w3.org/ns/credentials/v2", sha256="59" * 32),),
        proofs=(PlannedProof(id=PROOF, cryptosuite="ecdsa-rdfc-2019", key_id=f"{DID}#{OTHER_KEY}"),),
        tokens=(PlannedToken(form="vc+jwt", key_id=f"{DID}#{OTHER_KEY}"),),
        key_id=f"{DID}#{KEY}",
        status=STATUS,
        created=AT,
        valid_from=AT,
        valid_until=LATER,
        awarded_at=AT,
        supersedes="5f0a3d1e-0c4b-8e2d-9a77-000000000000",
        sealed="c2VhbGVk",
    ),
    CredentialSigned(
        credential_id=CREDENTIAL,
        learner_id=LEARNER,
        achievement_id=ACHIEVEMENT,
        achievement_version=2,
        achievement_name="Statistics with open data",
        issuer_name="Example University",
        key_id=f"{DID}#{KEY}",
        proofs=(MadeProof(id=PROOF, cryptosuite="eddsa-rdfc-2022", proof_value="z3FXQ"),),
        tokens=(
            MadeToken(form="ob-jwt", key_id=f"{DID}#{OTHER_KEY}", signature="c2lnbmF0dXJl", sha256="cd" * 32),
        ),
        document_sha256="ab" * 32,
        signed_at=AT,
        contact="c2VhbGVk",
    ),
    CredentialRevoked(
        credential_id=CREDENTIAL, learner_id=LEARNER, reason="misconduct", status=STATUS, revoked_at=LATER
    ),
    PostedCredentialIssued(
        credential_id=CREDENTIAL,
        contexts=(PinnedContext(url="https://www.w3.org/ns/credentials/v2", sha256="59" * 32),),
        proofs=(PlannedProof(id=PROOF, cryptosuite="eddsa-rdfc-2022"),),
        key_id=f"{DID}#{KEY}",
        status=STATUS,
        created=AT,
        sealed="c2VhbGVk",
    ),
    PostedCredentialSigned(credential_id=CREDENTIAL, key_id=f"{DID}#{KEY}", signed_at=AT, sealed="c2VhbGVk"),
    PostedCredentialRevoked(
        credential_id=CREDENTIAL, reason="issued-in-error", status=STATUS, revoked_at=LATER
    ),
    PostedCredentialForgotten(credential_id=CREDENTIAL, forgotten_at=LATER),
    StatusListPublished(
        list_id=LIST,
        version=3,
        purpose="revocation",
        credential='{"type":["VerifiableCredential","BitstringStatusListCredential"]}',
        published_at=AT,
        valid_until=LATER,
    ),
    IssuerPublished(
        slug="acme",
        did=DID,
        profile_version=1,
        profile=IssuerProfile(
            name="Example University",
            url="https://www.example.edu",
            email="office@example.edu",
            description="Teaches by example.",
            country="AT",
        ),
        published_at=AT,
    ),
    IssuerKeyPublished(
        did=DID, key_id=f"{DID}#{KEY}", public_key_multibase=KEY, valid_from=LATER, published_at=AT
    ),
    IssuerKeyRetired(
        did=DID,
        key_id=f"{DID}#{KEY}",
        public_key_multibase=KEY,
        reason="compromised",
        ends_at=AT,
        retired_at=LATER,
    ),
    ApiKeyCreated(
        prefix="k3y5ar3h",
        sha256="cd" * 32,
        label="examination office",
        scopes=("assessments:write", "assessments:read"),
        created_at=AT,
        expires_at=LATER,
    ),
    ApiKeyRevoked(prefix="k3y5ar3h", revoked_at=LATER),
    LearnerErased(learner_id=LEARNER, erased_at=AT),
    NotificationRequested(
        notification_id=NOTIFICATION,
        channel="webhook",
        about="credential.signed",
        event_id="01957c3e-2f00-7000-8000-000000000004",
        credential_id=CREDENTIAL,
        learner_id=LEARNER,
        subscription_id="01957c3e-2f00-7000-8000-000000000005",
        requested_at=AT,
        wording=2,
    ),
    NotificationSent(notification_id=NOTIFICATION, attempts=2, sent_at=AT),
    NotificationGaveUp(notification_id=NOTIFICATION, attempts=10, reason="refused", gave_up_at=LATER),
)
