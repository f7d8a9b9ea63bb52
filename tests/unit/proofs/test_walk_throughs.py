"""The signing walk-throughs of 1EdTech, byte for byte: an Open Badge, and a learner record that holds one.

1EdTech publishes the canonical forms; the documents are written down here from the guides.
"""

from __future__ import annotations

from pathlib import Path

from shared.proofs.contexts import CREDENTIALS_V2, OPEN_BADGES_V3
from shared.proofs.rdfc import Canonicaliser
from shared.proofs.strictjson import JsonObject

CLR = "https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json"
EXTENSIONS = "https://purl.imsglobal.org/spec/ob/v3p0/extensions.json"
SCHEMAS = "https://purl.imsglobal.org/spec"
ISSUER = "https://example.edu/issuers/565049"
LEARNER = "did:example:ebfeb1f712ebc6f1c276e12ec21"
CREATED = "2010-01-01T19:23:24Z"
PROOF: JsonObject = {
    "type": "DataIntegrityProof",
    "created": CREATED,
    "verificationMethod": f"{ISSUER}#z6MkjZRZv3aez3r18pB1RBFJR1kwUVJ5jHt92JmQwXbd5hwi",
    "cryptosuite": "eddsa-rdfc-2022",
    "proofPurpose": "assertionMethod",
}
VALUE = "z45QnLySMt2mWuW787G6cf3SLkP97ZkMZxLeXH5yaaTQPCtTup4GCV95tU8HEnQJSyGCokSj3AvUhmJtvveTmN4Vu"


def assert_walk(document: JsonObject, folder: Path) -> None:
    canonicaliser = Canonicaliser()
    config: JsonObject = {"@context": document["@context"], **PROOF}
    assert canonicaliser.nquads(document) == (folder / "document-canon.txt").read_text()
    assert canonicaliser.nquads(config) == (folder / "proof-canon.txt").read_text()


def test_the_walk_through_of_open_badges_comes_out_byte_for_byte(vectors: Path) -> None:
    document: JsonObject = {
        "@context": [CREDENTIALS_V2, OPEN_BADGES_V3],
        "id": "http://example.com/credentials/3527",
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "issuer": {
            "id": "https://example.edu/issuers/565049",
            "type": "Profile",
            "name": "Example Corp",
            "url": "https://www.imsglobal.org",
        },
        "validFrom": "2010-01-01T00:00:00Z",
        "name": "Teamwork Badge",
        "credentialSubject": {
            "id": "did:example:ebfeb1f712ebc6f1c276e12ec21",
            "type": "AchievementSubject",
            "achievement": {
                "id": "https://example.com/achievements/21st-century-skills/teamwork",
                "type": "Achievement",
                "criteria": {
                    "narrative": "Team members are nominated for this badge by their peers and "
                    "recognized upon review by Example Corp management."
                },
                "description": "This badge recognizes the development of the capacity to collaborate "
                "within a group environment.",
                "name": "Teamwork",
            },
        },
    }
    assert_walk(document, vectors / "ob3" / "obv3p0")


def achievement(number: int, uuid: str) -> JsonObject:
    return {
        "id": f"urn:uuid:{uuid}",
        "type": ["Achievement"],
        "name": f"Achievement {number}",
        "description": f"Achievement {number}",
        "creator": {"id": ISSUER, "type": ["Profile"]},
        "criteria": {"id": f"https://example.edu/achievements/{uuid}/criteria"},
        "image": {"id": "https://example.edu/achievements/sample.png", "type": "Image"},
    }


def schema(path: str) -> JsonObject:
    return {"id": f"{SCHEMAS}/{path}", "type": "1EdTechJsonSchemaValidator2019"}


FIRST = achievement(1, "a7467ef6-56cb-11ec-bf63-0242ac130002")
SECOND = achievement(2, "dd887f0a-56cb-11ec-bf63-0242ac130002")
UNIVERSITY: JsonObject = {"id": ISSUER, "type": ["Profile"], "name": "Example University"}
DEGREE: JsonObject = {
    "@context": [CREDENTIALS_V2, OPEN_BADGES_V3, EXTENSIONS],
    "id": "urn:uuid:91537dba-56cb-11ec-bf63-0242ac130002",
    "type": ["VerifiableCredential", "OpenBadgeCredential"],
    "issuer": UNIVERSITY,
    "validFrom": "2010-01-01T00:00:00Z",
    "name": "Example University Degree",
    "credentialSubject": {"id": LEARNER, "type": ["AchievementSubject"], "achievement": FIRST},
    "credentialSchema": [schema("ob/v3p0/schema/json/ob_v3p0_achievementcredential_schema.json")],
    "proof": [{**PROOF, "proofValue": VALUE}],
}
RECORD: JsonObject = {
    "@context": [CREDENTIALS_V2, CLR, OPEN_BADGES_V3, EXTENSIONS],
    "id": "http://example.edu/credentials/3732",
    "type": ["VerifiableCredential", "ClrCredential"],
    "issuer": UNIVERSITY,
    "validFrom": "2010-01-01T00:00:00Z",
    "name": "Sample Transcript",
    "credentialSubject": {
        "id": LEARNER,
        "type": ["ClrSubject"],
        "achievement": [FIRST, SECOND],
        "association": [
            {
                "type": "Association",
                "associationType": "isParentOf",
                "sourceId": FIRST["id"],
                "targetId": SECOND["id"],
            }
        ],
        "verifiableCredential": [DEGREE],
    },
    "credentialSchema": [schema("clr/v2p0/schema/json/clr_v2p0_clrcredential_schema.json")],
}


def test_the_walk_through_of_the_learner_record_comes_out_byte_for_byte(vectors: Path) -> None:
    assert_walk(RECORD, vectors / "ob3" / "clrv2p0")
