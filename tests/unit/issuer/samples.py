"""One realistic micro-credential, and the facts of one learner's credential, fixed to the byte."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from services.issuer.documents.addresses import Addresses
from services.issuer.documents.credential import (
    CONTEXTS,
    RENDERER,
    CredentialFacts,
    Holes,
    render_credential,
)
from services.issuer.documents.signed import made_proofs, proof_configs, with_signatures
from shared.contracts.achievements import (
    AchievementDefinition,
    Alignment,
    Level,
    Rubric,
    RubricCriterion,
    RubricLevel,
)
from shared.contracts.credentials import CredentialIssued, MadeProof, PinnedContext, PlannedProof, StatusEntry
from shared.contracts.issuers import IssuerProfile
from shared.contracts.sealed import SealedAssessment, SealedEvidence, SealedLearner, SealedResult
from shared.keys import EnvelopeSigner, seal_private_key
from shared.proofs import contexts
from shared.proofs.suites import SUITES
from shared.sealing import MasterKey

NAME = "Ingrid Nordmann"
EMAIL = "ingrid.nordmann@example.org"
DID = "did:web:badges.example.edu:issuers:oslo"
ADDRESSES = Addresses("https://badges.example.edu")
ACHIEVEMENT_ID = "01890000-0000-7000-8000-00000000000a"

PROFILE = IssuerProfile(
    name="Oslo School of Data",
    url="https://oslo.example.edu",
    email="awards@oslo.example.edu",
    description="Short courses for people who work with data.",
    country="NO",
)


def levels(prefix: str) -> tuple[RubricLevel, ...]:
    """Three levels worth 0, 2 and 4 points."""
    return (
        RubricLevel(id=f"{prefix}-none", name="Not shown", points=0),
        RubricLevel(id=f"{prefix}-sound", name="Sound", points=2, description="Works with small gaps."),
        RubricLevel(id=f"{prefix}-strong", name="Strong", points=4),
    )


DEFINITION = AchievementDefinition(
    name="Exploratory Data Analysis",
    description="Finds, cleans and describes a data set, and tells others what it says.",
    criteria_narrative="Hand in an analysis of a real data set and defend it.",
    outcomes=("Cleans a data set", "Chooses a fitting chart"),
    workload_hours=60,
    credits=2,
    level=Level(framework="EQF", value="5", url="http://data.europa.eu/snb/eqf/5"),
    alignments=(
        Alignment(
            target_name="perform data cleansing",
            target_url="http://data.europa.eu/esco/skill/9fd0e6d8-9f4c-4e0a-8c0e-a3ea1f2e5b11",
            target_framework="ESCO 1.2.1",
            target_type="ceasn:Competency",
        ),
    ),
    tags=("data", "statistics"),
    language="en",
    field_of_study="Information technology",
    assessment_type="project with oral examination",
    participation="blended",
    quality_assurance="institutional accreditation",
    rubric=Rubric(
        criteria=(
            RubricCriterion(id="cleaning", name="Cleaning", weight=60, levels=levels("c")),
            RubricCriterion(id="telling", name="Telling", weight=40, levels=levels("t")),
        ),
        pass_mark_percent=60,
    ),
    validity_days=1_095,
)

ASSESSMENT = SealedAssessment(
    learner=SealedLearner(name=NAME, email=EMAIL),
    results=(
        SealedResult(
            criterion_id="cleaning",
            criterion_name="Cleaning",
            level_id="c-strong",
            level_name="Strong",
            points=4,
            points_max=4,
            weight=60,
        ),
        SealedResult(
            criterion_id="telling",
            criterion_name="Telling",
            level_id="t-sound",
            level_name="Sound",
            points=2,
            points_max=4,
            weight=40,
        ),
    ),
    score_percent="80.00",
    assessor="Examination board 3",
    supervision="on site",
    identity_check="passport",
    evidence=(
        SealedEvidence(url="https://work.example.org/ingrid/analysis", name="The analysis"),
        SealedEvidence(url="https://work.example.org/ingrid/slides"),
    ),
    narrative="Presented to a panel of three.",
)

HOLES = Holes(
    assessment=ASSESSMENT,
    email_salt="000102030405060708090a0b0c0d0e0f",
    name_salt="f0e0d0c0b0a090807060504030201000",
)

KEY_ID = f"{DID}#z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd"

ISSUED = CredentialIssued(
    credential_id="7f3c0000-0000-8000-8000-0000000000c1",
    assessment_id="spring-2026-0001",
    learner_id="5c0f2d0e-52a4-4b07-9d57-0d5ad1c1b001",
    achievement_id=ACHIEVEMENT_ID,
    achievement_version=2,
    profile_version=1,
    renderer=1,
    contexts=tuple(PinnedContext(url=url, sha256=contexts.digest(url)) for url in CONTEXTS),
    proofs=(PlannedProof(id="urn:uuid:2d5c0000-0000-5000-8000-000000000001", cryptosuite="eddsa-rdfc-2022"),),
    key_id=KEY_ID,
    status=StatusEntry(list_id="9a9a0000-0000-8000-8000-00000000005a", index=73_115),
    created=datetime(2026, 5, 4, 10, 20, 30, 456_000, UTC),
    valid_from=datetime(2026, 5, 4, 10, 20, 30, 456_000, UTC),
    valid_until=datetime(2029, 5, 3, 10, 20, 30, 456_000, UTC),
    awarded_at=datetime(2026, 5, 4, 10, 20, 29, 1_000, UTC),
    sealed="-",
)

FACTS = CredentialFacts(ADDRESSES, "oslo", DID, PROFILE, DEFINITION, ISSUED, HOLES)


def minimal() -> CredentialFacts:
    """Everything optional left out."""
    definition = DEFINITION.model_copy(
        update={
            "credits": None,
            "level": None,
            "alignments": (),
            "tags": (),
            "field_of_study": None,
            "validity_days": None,
        }
    )
    assessment = replace(HOLES.assessment, evidence=(), narrative=None)
    return CredentialFacts(
        ADDRESSES,
        "oslo",
        DID,
        PROFILE.model_copy(update={"email": None, "description": None, "country": None}),
        definition,
        ISSUED.model_copy(update={"valid_until": None}),
        replace(HOLES, assessment=assessment),
    )


def planned_proof(number: int, suite: str) -> PlannedProof:
    """A plan with a fixed id."""
    return PlannedProof(id=f"urn:uuid:00000000-0000-5000-8000-00000000000{number}", cryptosuite=suite)


def signed_document(
    facts: CredentialFacts, suites: tuple[str, ...]
) -> tuple[dict[str, Any], tuple[MadeProof, ...]]:
    """The credential signed by the key of a fixed seed, and the proofs as an event records them."""
    master = MasterKey(bytes(32))
    signer = EnvelopeSigner.open(master, seal_private_key(master, bytes(range(32)), KEY_ID), KEY_ID)
    document = render_credential(RENDERER, facts)
    planned = [planned_proof(number, suite) for number, suite in enumerate(suites)]
    configs = proof_configs(document, planned, KEY_ID, facts.issued.created)
    hashes = [SUITES[str(config["cryptosuite"])].hash_data(document, config) for config in configs]
    signatures = signer.sign(hashes)
    signed = with_signatures(document, configs, signatures)
    return signed, made_proofs(signed)
