"""Twenty shapes that credentials take in the field, each as its issuer writes it before it is signed.

Every one satisfies the data model and JSON-LD's safe mode, and has the ids on which canonicalisers agree.
Tests sign them with every suite, alter them, and give them to other implementations.
"""

from __future__ import annotations

from typing import Any

from shared.proofs.contexts import CREDENTIALS_V2, OPEN_BADGES_V3

EXTENSIONS = "https://purl.imsglobal.org/spec/ob/v3p0/extensions.json"
CLR = "https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json"
BASE = "https://badges.example"
ACHIEVEMENT: dict[str, Any] = {
    "id": f"{BASE}/achievements/field/2",
    "type": ["Achievement"],
    "name": "Field measurements",
    "description": "Measures soil, water and air.",
    "criteria": {"id": f"{BASE}/achievements/field/2#criteria", "narrative": "Two supervised field days."},
}

SALTED_ADDRESS: dict[str, Any] = {
    "type": "IdentityObject",
    "hashed": True,
    "identityHash": "sha256$" + "ab" * 32,
    "identityType": "emailAddress",
    "salt": "d0c1b2a3948576",
}
ALIGNMENT: dict[str, Any] = {
    "type": ["Alignment"],
    "targetName": "measure pollution",
    "targetUrl": "http://data.europa.eu/esco/skill/1",
    "targetFramework": "ESCO",
}
RESULT: dict[str, Any] = {
    "type": ["Result"],
    "resultDescription": "urn:uuid:0b6d2f6e-7f4c-4ef3-8df5-c5f0f4c7b001",
    "value": "88",
}
RESULT_DESCRIPTION: dict[str, Any] = {
    "id": "urn:uuid:0b6d2f6e-7f4c-4ef3-8df5-c5f0f4c7b001",
    "type": ["ResultDescription"],
    "name": "Final exam",
    "resultType": "Percent",
    "requiredValue": "80",
}
EVIDENCE: dict[str, Any] = {
    "id": f"{BASE}/evidence/1",
    "type": ["Evidence"],
    "name": "Report",
    "genre": "essay",
}
PARTS = ("urn:uuid:a7467ef6-56cb-11ec-bf63-0242ac130002", "urn:uuid:dd887f0a-56cb-11ec-bf63-0242ac130002")
IMAGE: dict[str, Any] = {"id": f"{BASE}/image.png", "type": "Image", "caption": "A badge"}
CREDITS: dict[str, Any] = {
    "creditsAvailable": 2.5,
    "tag": ["soil", "water"],
    "achievementType": "MicroCredential",
}


def shapes(issuer: str) -> dict[str, dict[str, Any]]:
    """Each shape under its name, issued by the DID `issuer`."""
    return {**_data_model(issuer), **_badges(issuer), **_others(issuer)}


def _plain(issuer: str, number: int, /, **members: Any) -> dict[str, Any]:
    return {
        "@context": [CREDENTIALS_V2],
        "id": f"{BASE}/credentials/{number}",
        "type": ["VerifiableCredential"],
        "issuer": issuer,
        "validFrom": "2026-03-01T09:30:00Z",
        "credentialSubject": {"id": "did:example:learner", "name": "Learner"},
    } | members


def _badge(
    issuer: str, number: int, subject: dict[str, Any] | None = None, /, **members: Any
) -> dict[str, Any]:
    return {
        "@context": [CREDENTIALS_V2, OPEN_BADGES_V3],
        "id": f"{BASE}/credentials/{number}",
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "issuer": {"id": issuer, "type": ["Profile"], "name": "North College"},
        "validFrom": "2026-03-01T09:30:00Z",
        "credentialSubject": {
            "id": "did:example:learner",
            "type": ["AchievementSubject"],
            "achievement": ACHIEVEMENT,
        }
        | (subject or {}),
    } | members


def _status(index: int, purpose: str) -> dict[str, Any]:
    return {
        "id": f"{BASE}/status/{purpose}#{index}",
        "type": "BitstringStatusListEntry",
        "statusPurpose": purpose,
        "statusListIndex": str(index),
        "statusListCredential": f"{BASE}/status/{purpose}",
    }


def _data_model(issuer: str) -> dict[str, dict[str, Any]]:
    return {
        "as little as the data model asks for": _plain(issuer, 1),
        "an issuer with a name in two languages": _plain(
            issuer,
            2,
            issuer={
                "id": issuer,
                "name": [
                    {"@value": "North College", "@language": "en"},
                    {"@value": "كلية الشمال", "@language": "ar", "@direction": "rtl"},
                ],
            },
        ),
        "two subjects": _plain(
            issuer, 3, credentialSubject=[{"id": "did:example:a", "name": "A"}, {"id": "did:example:b"}]
        ),
        "a list of revocations and one of suspensions": _plain(
            issuer, 4, credentialStatus=[_status(94_567, "revocation"), _status(23, "suspension")]
        ),
        "terms, a schema and a refresh service": _plain(
            issuer,
            5,
            termsOfUse=[{"id": f"{BASE}/terms", "type": f"{BASE}/vocabulary#Terms"}],
            credentialSchema={"id": f"{BASE}/schema.json", "type": "JsonSchema"},
            refreshService={"id": f"{BASE}/refresh", "type": f"{BASE}/vocabulary#Refresh"},
        ),
        "validity with offsets and a fraction": _plain(
            issuer, 6, validFrom="2026-03-01T09:30:00.25+05:30", validUntil="2099-12-31T24:00:00-08:00"
        ),
    }


def _badges(issuer: str) -> dict[str, dict[str, Any]]:
    return {
        "a badge": _badge(issuer, 7),
        "a badge for a hashed address": _badge(issuer, 8, {"identifier": [SALTED_ADDRESS]}),
        "a badge with a result": _badge(
            issuer,
            9,
            {"result": [RESULT], "achievement": {**ACHIEVEMENT, "resultDescription": [RESULT_DESCRIPTION]}},
        ),
        "a badge with evidence": _badge(issuer, 10, evidence=[EVIDENCE]),
        "a badge aligned to a framework": _badge(
            issuer, 11, {"achievement": {**ACHIEVEMENT, "alignment": [ALIGNMENT]}}
        ),
        "a badge with an image": _badge(issuer, 12, {"achievement": {**ACHIEVEMENT, "image": IMAGE}}),
        "a badge with credits": _badge(
            issuer, 13, {"creditsEarned": 1.5, "achievement": {**ACHIEVEMENT, **CREDITS}}
        ),
        "a badge that can be revoked": _badge(
            issuer, 14, credentialStatus=_status(131_071, "revocation"), validUntil="2099-01-01T00:00:00Z"
        ),
        "a badge in many scripts": _badge(
            issuer, 15, name='Feldmessungen – “测量” мера 🌱 "quoted" \\ and\nbroken\tup'
        ),
        "a badge with a narrative": _badge(
            issuer, 16, {"narrative": "Measured well.", "term": "Spring 2026"}
        ),
    }


def _others(issuer: str) -> dict[str, dict[str, Any]]:
    return {
        "an endorsement": _badge(
            issuer,
            17,
            type=["VerifiableCredential", "EndorsementCredential"],
            name="An endorsement",
            credentialSubject={
                "id": ACHIEVEMENT["id"],
                "type": ["EndorsementSubject"],
                "endorsementComment": "Rigorous.",
            },
        ),
        "a status list": _plain(
            issuer,
            18,
            type=["VerifiableCredential", "BitstringStatusListCredential"],
            credentialSubject={
                "id": f"{BASE}/status/revocation#list",
                "type": "BitstringStatusList",
                "statusPurpose": "revocation",
                "ttl": 300_000,
                "encodedList": "uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA",
            },
        ),
        "a badge with 1EdTech's extensions": _badge(
            issuer,
            19,
            **{"@context": [CREDENTIALS_V2, OPEN_BADGES_V3, EXTENSIONS]},
            credentialSchema=[
                {
                    "id": "https://purl.imsglobal.org/spec/ob/v3p0/schema/json/ob_v3p0_achievementcredential_schema.json",
                    "type": "1EdTechJsonSchemaValidator2019",
                }
            ],
        ),
        "a learner record": _badge(
            issuer,
            20,
            **{"@context": [CREDENTIALS_V2, CLR, OPEN_BADGES_V3]},
            type=["VerifiableCredential", "ClrCredential"],
            name="Transcript",
            credentialSubject={
                "id": "did:example:learner",
                "type": ["ClrSubject"],
                "achievement": [
                    {**ACHIEVEMENT, "id": part, "criteria": {"id": f"{BASE}/criteria/{number}"}}
                    for number, part in enumerate(PARTS)
                ],
                "association": [
                    {
                        "type": "Association",
                        "associationType": "isParentOf",
                        "sourceId": PARTS[0],
                        "targetId": PARTS[1],
                    }
                ],
            },
        ),
    }
