"""Worked examples of the issuer's OpenAPI pages: they work when pasted."""

from __future__ import annotations

from typing import Any

ACHIEVEMENT: dict[str, Any] = {
    "name": "Exploratory Data Analysis",
    "description": "Finds, cleans and describes a data set, and tells others what it says.",
    "criteria_narrative": "Hand in an analysis of a real data set and defend it before a panel.",
    "outcomes": ["Cleans a data set and says what was changed", "Chooses a chart that fits the question"],
    "workload_hours": 60,
    "credits": 2,
    "level": {"framework": "EQF", "value": "5", "url": "http://data.europa.eu/snb/eqf/5"},
    "alignments": [
        {
            "target_name": "perform data analysis",
            "target_url": "http://data.europa.eu/esco/skill/2b92a5b2-6758-4ee3-9fb4-b6387a55cc8f",
            "target_framework": "ESCO",
            "target_type": "ceasn:Competency",
        }
    ],
    "tags": ["data", "statistics"],
    "language": "en",
    "field_of_study": "Information technology",
    "assessment_type": "project with oral examination",
    "participation": "blended",
    "quality_assurance": "institutional accreditation",
    "rubric": {
        "criteria": [
            {
                "id": "cleaning",
                "name": "Cleaning",
                "weight": 60,
                "levels": [
                    {"id": "missing", "name": "Not shown", "points": 0},
                    {"id": "sound", "name": "Sound", "points": 3},
                    {"id": "strong", "name": "Strong", "points": 4},
                ],
            },
            {
                "id": "telling",
                "name": "Telling",
                "weight": 40,
                "levels": [
                    {"id": "missing", "name": "Not shown", "points": 0},
                    {"id": "sound", "name": "Sound", "points": 3},
                    {"id": "strong", "name": "Strong", "points": 4},
                ],
            },
        ],
        "pass_mark_percent": 70,
    },
    "attempts_max": 3,
    "on_second_pass": "ignore",
    "validity_days": 1095,
}

ACHIEVEMENT_EXAMPLES: dict[str, Any] = {
    "micro-credential": {"summary": "Two criteria, EQF level 5, valid for three years", "value": ACHIEVEMENT}
}
REVOCATION_EXAMPLES: dict[str, Any] = {
    "error": {"summary": "It should not have been issued", "value": {"reason": "issued-in-error"}}
}

POSTED: dict[str, Any] = {
    "credential": {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "id": "urn:uuid:0fc754bc-fc32-46a0-aec1-a5ef385e7ea0",
        "type": ["VerifiableCredential"],
        "name": "Safe work at heights",
        "credentialSubject": {"id": "did:example:learner", "name": "Ada Example"},
    },
    "options": {},
}
STATUS_UPDATE: dict[str, Any] = {
    "credentialId": "urn:uuid:0fc754bc-fc32-46a0-aec1-a5ef385e7ea0",
    "credentialStatus": {"type": "BitstringStatusListEntry", "statusPurpose": "revocation"},
    "status": True,
}
