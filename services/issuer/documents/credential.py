"""The credential of one learner: an Open Badge 3.0 on Verifiable Credentials 2.0, from its intent and holes.

A renderer is never edited once credentials were signed with it: the intent pins its number, and the stored
SHA-256 of the signed document shows any drift. A changed layout is a new renderer with a new number.

Name and e-mail stand in the document only as salted hashes (class IdentityObject): whoever has the address
of a credential can confirm a learner they know and learn nothing about one they do not. Numbers are integers
or strings, never floats. There is no `credentialSchema`: neither of the two contexts defines the type that
1EdTech gives its schemas, so safe mode refuses it; the schema is held to at issue instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from services.issuer.documents.achievement import (
    achievement,
    criterion_result_id,
    level_id,
    overall_result_id,
)
from services.issuer.documents.addresses import Addresses, stamp
from services.issuer.documents.issuers import profile
from services.issuer.documents.status_list import status_entry
from shared.contracts.achievements import AchievementDefinition
from shared.contracts.credentials import CredentialIssued
from shared.contracts.issuers import IssuerProfile
from shared.contracts.sealed import Sealed, SealedAssessment
from shared.proofs.contexts import CREDENTIALS_V2, OPEN_BADGES_V3
from shared.proofs.strictjson import JsonObject, JsonValue

CONTEXTS = (CREDENTIALS_V2, OPEN_BADGES_V3)
RENDERER = 1
"""The renderer that new credentials are made with."""
RENDERER_WITH_SUBJECT = 2
"""The renderer of those that are made as a token of Open Badges too, whose claim `sub` names the subject."""


class Holes(Sealed, frozen=True):
    """What is personal in a credential, sealed in its intent: the assessment's record, and two salts.

    The salts (128 bits, hex) keep the hash and the proof of a document from confirming a guessed name after
    erasure.
    """

    assessment: SealedAssessment
    email_salt: str
    name_salt: str


def holes_around(assessment: bytes, email_salt: str, name_salt: str) -> bytes:
    """The JSON of `Holes` around an assessment's record, byte for byte what `sealed.encode` would write."""
    salts = f'"email_salt":"{email_salt}","name_salt":"{name_salt}"'
    return b'{"assessment":' + assessment + b"," + salts.encode() + b"}"


class CredentialFacts(NamedTuple):
    """Everything that a credential's bytes depend on; all of it is pinned by the intent."""

    addresses: Addresses
    issuer_id: str
    did: str
    profile: IssuerProfile
    definition: AchievementDefinition
    issued: CredentialIssued
    holes: Holes


@dataclass(frozen=True, slots=True)
class Common:
    """What all credentials of one version of an achievement and of a profile hold alike: most of each.

    The objects stand in every document that is rendered with them: never change one.
    """

    issuer: JsonObject
    achievement: JsonObject


@dataclass(frozen=True, slots=True)
class Renderer:
    """A layout: what its credentials have in common, and a credential around that."""

    common: Callable[[CredentialFacts], Common]
    document: Callable[[CredentialFacts, Common], JsonObject]


def render_common(renderer: int, facts: CredentialFacts) -> Common:
    """What a credential shares with all of its profile's and achievement's versions. Raises KeyError."""
    return RENDERERS[renderer].common(facts)


def render_credential(renderer: int, facts: CredentialFacts, common: Common | None = None) -> JsonObject:
    """The credential without proofs. Raises KeyError for a renderer that never existed.

    `common` is what `render_common` made of other facts with the same versions; without it, it is made here.
    """
    return RENDERERS[renderer].document(facts, common or render_common(renderer, facts))


def _common_1(facts: CredentialFacts) -> Common:
    issued = facts.issued
    return Common(
        profile(facts.addresses, facts.issuer_id, facts.did, facts.profile),
        achievement(facts.addresses, issued.achievement_id, issued.achievement_version, facts.definition),
    )


def _document_1(facts: CredentialFacts, common: Common) -> JsonObject:
    return _document(facts, common, {})


def _document_2(facts: CredentialFacts, common: Common) -> JsonObject:
    """Layout 1, and an id of the subject: a place in this very credential, nothing of the learner's."""
    url = facts.addresses.credential(facts.issued.credential_id)
    return _document(facts, common, {"id": f"{url}#subject"})


def _document(facts: CredentialFacts, common: Common, named: JsonObject) -> JsonObject:
    issued = facts.issued
    url = facts.addresses.credential(issued.credential_id)
    document: JsonObject = {
        "@context": list(CONTEXTS),
        "id": url,
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "name": facts.definition.name,
        "issuer": common.issuer,
        "validFrom": stamp(issued.valid_from),
    }
    if issued.valid_until is not None:
        document["validUntil"] = stamp(issued.valid_until)
    document["awardedDate"] = stamp(issued.awarded_at)
    document["credentialSubject"] = _subject(facts, common, url, named)
    document["evidence"] = _evidence(facts, url)
    document["credentialStatus"] = status_entry(facts.addresses, issued.status)
    return document


def _subject(facts: CredentialFacts, common: Common, url: str, named: JsonObject) -> JsonObject:
    holes = facts.holes
    subject: JsonObject = {
        **named,
        "type": ["AchievementSubject"],
        "identifier": [
            _identity("emailAddress", holes.assessment.learner.email, holes.email_salt),
            _identity("name", holes.assessment.learner.name, holes.name_salt),
        ],
    }
    if holes.assessment.narrative is not None:
        subject["narrative"] = holes.assessment.narrative
    subject["achievement"] = common.achievement
    subject["result"] = _results(facts, url)
    return subject


def _identity(identity_type: str, value: str, salt: str) -> JsonObject:
    """Open Badges 3.0, class IdentityObject: SHA-256 over the identity followed by the salt."""
    digest = hashlib.sha256(f"{value}{salt}".encode()).hexdigest()
    return {
        "type": "IdentityObject",
        "hashed": True,
        "identityHash": f"sha256${digest}",
        "identityType": identity_type,
        "salt": salt,
    }


def _results(facts: CredentialFacts, url: str) -> list[JsonValue]:
    described_at = facts.addresses.achievement(facts.issued.achievement_id, facts.issued.achievement_version)
    assessment = facts.holes.assessment
    results: list[JsonValue] = [
        {
            "id": f"{url}#result",
            "type": ["Result"],
            "resultDescription": overall_result_id(described_at),
            "value": assessment.score_percent,
        }
    ]
    for result in assessment.results:
        results.append(
            {
                "id": f"{url}#result/{result.criterion_id}",
                "type": ["Result"],
                "resultDescription": criterion_result_id(described_at, result.criterion_id),
                "achievedLevel": level_id(described_at, result.criterion_id, result.level_id),
                "value": str(result.points),
            }
        )
    return results


def _evidence(facts: CredentialFacts, url: str) -> list[JsonValue]:
    """How it was assessed, then the learner's work. A link given twice stands once: its id is the link."""
    assessment = facts.holes.assessment
    entries: list[JsonValue] = [
        {
            "id": f"{url}#assessment",
            "type": ["Evidence"],
            "name": "Assessment",
            "narrative": f"Assessed by {assessment.assessor}. Supervision: {assessment.supervision}."
            f" Identity check: {assessment.identity_check}.",
        }
    ]
    links = {link.url: link for link in reversed(assessment.evidence)}
    for link in reversed(links.values()):
        entry: JsonObject = {"id": link.url, "type": ["Evidence"]}
        if link.name is not None:
            entry["name"] = link.name
        if link.description is not None:
            entry["description"] = link.description
        entries.append(entry)
    return entries


RENDERERS: Mapping[int, Renderer] = {
    1: Renderer(_common_1, _document_1),
    2: Renderer(_common_1, _document_2),
}
