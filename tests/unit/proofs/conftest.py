"""The published vectors and one realistic badge, as the tests of proofs share them."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from shared.proofs.contexts import CREDENTIALS_V2, OPEN_BADGES_V3, PINNED, ContextSet
from shared.proofs.strictjson import JsonObject

VECTORS = Path(__file__).parents[2] / "vectors"
EXAMPLES_V2 = "https://www.w3.org/ns/credentials/examples/v2"
ACHIEVEMENT: JsonObject = {
    "id": "https://badges.example/achievements/field/2",
    "type": ["Achievement"],
    "achievementType": "MicroCredential",
    "name": "Field measurements",
    "description": 'Measures soil, water and air — and says "how well".\nIn two parts.',
    "criteria": {
        "id": "https://badges.example/achievements/field/2#criteria",
        "narrative": "Two supervised field days.",
    },
    "alignment": [
        {
            "type": ["Alignment"],
            "targetName": "measure pollution",
            "targetUrl": "http://data.europa.eu/esco/skill/1",
        },
        {
            "type": ["Alignment"],
            "targetName": "collect samples",
            "targetUrl": "http://data.europa.eu/esco/skill/2",
        },
    ],
    "creditsAvailable": 2.5,
    "tag": ["soil", "water"],
}


@pytest.fixture
def vectors() -> Path:
    return VECTORS


@pytest.fixture(scope="session")
def with_examples() -> ContextSet:
    """The pinned contexts and the bare @vocab that the W3C vectors use."""
    return PINNED.with_context(
        EXAMPLES_V2, (VECTORS / "contexts" / "credentials-examples-v2.json").read_bytes()
    )


@pytest.fixture
def keypair() -> JsonObject:
    return json.loads((VECTORS / "vc-di-eddsa" / "keyPair.json").read_bytes())


@pytest.fixture
def badge() -> JsonObject:
    """A realistic Open Badge 3.0 with several nodes that have no id."""
    return {
        "@context": [CREDENTIALS_V2, OPEN_BADGES_V3],
        "id": "https://badges.example/credentials/5f1b1d5e",
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "name": "Field measurements",
        "issuer": {
            "id": "did:web:badges.example:issuers:north",
            "type": ["Profile"],
            "name": "North College",
            "url": "https://north.example",
        },
        "validFrom": "2026-03-01T09:30:00Z",
        "validUntil": "2031-03-01T09:30:00Z",
        "credentialSubject": {
            "id": "did:example:learner",
            "type": ["AchievementSubject"],
            "identifier": [
                {
                    "type": "IdentityObject",
                    "hashed": True,
                    "identityHash": "sha256$" + "ab" * 32,
                    "identityType": "emailAddress",
                    "salt": "d0c1b2",
                }
            ],
            "result": [
                {
                    "type": ["Result"],
                    "resultDescription": "urn:uuid:0b6d2f6e-7f4c-4ef3-8df5-c5f0f4c7b001",
                    "value": "88",
                }
            ],
            "achievement": copy.deepcopy(ACHIEVEMENT),
        },
        "credentialStatus": {
            "id": "https://badges.example/status/7#94567",
            "type": "BitstringStatusListEntry",
            "statusPurpose": "revocation",
            "statusListIndex": "94567",
            "statusListCredential": "https://badges.example/status/7",
        },
    }


@pytest.fixture
def options() -> JsonObject:
    """Proof options for `badge`, as an RDFC proof has them."""
    return {
        "id": "urn:uuid:9d2f4a53-0c8b-4b5c-9f0e-2a1f7f1f0001",
        "type": "DataIntegrityProof",
        "cryptosuite": "eddsa-rdfc-2022",
        "created": "2026-03-01T09:30:00Z",
        "verificationMethod": "did:web:badges.example:issuers:north#key",
        "proofPurpose": "assertionMethod",
    }
