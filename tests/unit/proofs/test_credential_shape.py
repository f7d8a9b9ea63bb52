"""The rules of the data model: what is accepted, and each breach named with its place."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.proofs import dataintegrity, datetimes, jsonld_safety, openbadge_schema, vcdm
from shared.proofs.contexts import CREDENTIALS_V1, CREDENTIALS_V2, OPEN_BADGES_V3
from shared.proofs.strictjson import JsonObject

Change = Callable[[dict[str, Any]], object]


def test_a_realistic_badge_breaks_no_rule(badge: JsonObject, options: JsonObject) -> None:
    assert vcdm.problems(badge) == []
    assert openbadge_schema.problems(dataintegrity.with_proof(badge, options, bytes(64))) == []


SRI = "sha384-l/HrjlBCNWyAX91hr6LFV2Y3heB5Tcr6IeE4/Tje8YyzYBM8IhqjHWiWpr8+ZbYU"
"""The digest that the Recommendation publishes of its context, and the same file as a multihash."""
MULTIHASH = "uEiBZlVztZpfWHgPyslVv6-UwirFoQoRvW1htfx963sknNA"


def resource(url: str, **members: Any) -> dict[str, Any]:
    return {"id": url, "digestSRI": SRI} | members


ACCEPTED: dict[str, Change] = {
    "no id": lambda b: b.pop("id"),
    "one type as a string": lambda b: b.update(type="VerifiableCredential"),
    "an issuer that is a URL": lambda b: b.update(issuer="https://north.example"),
    "several subjects": lambda b: b.update(credentialSubject=[{"id": "urn:a"}, {"name": "b"}]),
    "no validity": lambda b: [b.pop("validFrom"), b.pop("validUntil")],
    "a validUntil in the past": lambda b: b.update(
        validFrom="1999-01-01T00:00:00Z", validUntil="1999-01-01T00:00:00Z"
    ),
    "an offset and a fraction": lambda b: b.update(validFrom="2026-03-01T09:30:00.123+05:30"),
    "an order that only the zones show": lambda b: b.update(
        validFrom="2026-03-01T10:00:00+02:00", validUntil="2026-03-01T09:00:00Z"
    ),
    "two status entries": lambda b: b.update(credentialStatus=[{"type": "A"}, {"type": ["B"]}]),
    "a name with language and direction": lambda b: b.update(
        name=[{"@value": "x", "@language": "ar", "@direction": "rtl"}, "y"]
    ),
    "a schema": lambda b: b.update(credentialSchema={"id": "urn:s", "type": "S"}),
    "a related resource that is not known here": lambda b: b.update(relatedResource=resource("urn:r")),
    "the context as a related resource": lambda b: b.update(
        relatedResource=[{**resource(CREDENTIALS_V2), "digestMultibase": MULTIHASH}]
    ),
    "a digest of which a weaker one is wrong": lambda b: b.update(
        relatedResource=resource(CREDENTIALS_V2, digestSRI=f"sha256-{'A' * 43}= {SRI}")
    ),
    "a context object": lambda b: b["@context"].append({"x": "urn:x"}),
}


@pytest.mark.parametrize("change", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_the_data_model_allows_is_accepted(badge: JsonObject, change: Change) -> None:
    change(badge)
    assert vcdm.problems(badge) == []


def version_1(**members: Any) -> dict[str, Any]:
    """A credential of the data model 1.1; a member given as None is left out."""
    document = {
        "@context": [CREDENTIALS_V1, "https://w3id.org/security/data-integrity/v2"],
        "id": "urn:uuid:00000000-0000-4000-8000-000000000001",
        "type": ["VerifiableCredential"],
        "issuer": "did:example:issuer",
        "issuanceDate": "2026-03-01T09:30:00Z",
        "credentialSubject": {"id": "did:example:learner"},
    } | members
    return {key: value for key, value in document.items() if value is not None}


def test_a_credential_of_version_1_is_read_by_its_own_rules() -> None:
    moment = "2027-03-01T09:30:00Z"
    status = {"id": "urn:s", "type": "S"}
    assert vcdm.problems(version_1(expirationDate=moment, credentialStatus=status)) == []
    for wrong, place in (
        (version_1(issuanceDate=None), "$.issuanceDate"),
        (version_1(issuanceDate="2026-03-01"), "$.issuanceDate"),
        (version_1(expirationDate="2025-03-01T09:30:00Z"), "$.expirationDate"),
        (version_1(credentialStatus={"type": "S"}), "$.credentialStatus.id"),
        (version_1(issuer=None), "$.issuer"),
        (version_1(type=["AlumniCredential"]), "$.type"),
    ):
        assert [problem.partition(":")[0] for problem in vcdm.problems(wrong)] == [place]


def test_the_validity_of_either_version_is_known_and_the_narrower_of_two_counts() -> None:
    both = version_1(expirationDate="2028-01-01T00:00:00Z", validUntil="2027-01-01T00:00:00Z")
    assert vcdm.validity(both) == (
        datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
    )
    assert vcdm.validity({"validFrom": "2026-03-01T09:30:00Z"})[0] == datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    assert vcdm.validity({}) == (None, None)


REFUSED: dict[str, tuple[Change, str]] = {
    "no context": (lambda b: b.pop("@context"), "$.@context"),
    "a context that is a string": (lambda b: b.update({"@context": b["@context"][0]}), "$.@context"),
    "an empty context": (lambda b: b.update({"@context": []}), "$.@context"),
    "another first context": (lambda b: b["@context"].reverse(), "$.@context"),
    "a number among the contexts": (lambda b: b["@context"].append(5), "$.@context[2]"),
    "a context that is no URL": (lambda b: b["@context"].append("v2"), "$.@context[2]"),
    "an id that is null": (lambda b: b.update(id=None), "$.id"),
    "two ids": (lambda b: b.update(id=["urn:a", "urn:b"]), "$.id"),
    "an id that is no URL": (lambda b: b.update(id="badge 5"), "$.id"),
    "no type": (lambda b: b.pop("type"), "$.type"),
    "another type": (lambda b: b.update(type=["OpenBadgeCredential"]), "$.type"),
    "a type that is a number": (lambda b: b["type"].append(5), "$.type"),
    "no issuer": (lambda b: b.pop("issuer"), "$.issuer"),
    "an issuer that is null": (lambda b: b.update(issuer=None), "$.issuer"),
    "an issuer that is no URL": (lambda b: b.update(issuer="North College"), "$.issuer"),
    "an issuer without an id": (lambda b: b["issuer"].pop("id"), "$.issuer.id"),
    "an issuer with an id that is no URL": (lambda b: b["issuer"].update(id="north"), "$.issuer.id"),
    "two issuers": (lambda b: b.update(issuer=["urn:a", "urn:b"]), "$.issuer"),
    "an issuer's name that is a number": (lambda b: b["issuer"].update(name=5), "$.issuer.name"),
    "no subject": (lambda b: b.pop("credentialSubject"), "$.credentialSubject"),
    "an empty subject": (lambda b: b.update(credentialSubject={}), "$.credentialSubject"),
    "an empty list of subjects": (lambda b: b.update(credentialSubject=[]), "$.credentialSubject"),
    "an empty subject among others": (
        lambda b: b.update(credentialSubject=[{"id": "urn:a"}, {}]),
        "$.credentialSubject",
    ),
    "a subject that is a string": (lambda b: b.update(credentialSubject="urn:a"), "$.credentialSubject"),
    "a subject's id that is no URL": (
        lambda b: b["credentialSubject"].update(id="ann"),
        "$.credentialSubject.id",
    ),
    "a validFrom without a zone": (lambda b: b.update(validFrom="2026-03-01T09:30:00"), "$.validFrom"),
    "a validFrom that is a date": (lambda b: b.update(validFrom="2026-03-01"), "$.validFrom"),
    "a validUntil of no month": (lambda b: b.update(validUntil="2031-13-01T00:00:00Z"), "$.validUntil"),
    "a validUntil that is a number": (lambda b: b.update(validUntil=5), "$.validUntil"),
    "a validUntil before validFrom": (lambda b: b.update(validUntil="2026-03-01T09:29:59Z"), "$.validUntil"),
    "a status without a type": (lambda b: b["credentialStatus"].pop("type"), "$.credentialStatus"),
    "an empty list of statuses": (lambda b: b.update(credentialStatus=[]), "$.credentialStatus"),
    "a status that is null": (lambda b: b.update(credentialStatus=None), "$.credentialStatus"),
    "a status with an id that is no URL": (
        lambda b: b["credentialStatus"].update(id="7"),
        "$.credentialStatus.id",
    ),
    "a status with two ids": (lambda b: b["credentialStatus"].update(id=["urn:a"]), "$.credentialStatus.id"),
    "terms of use without a type": (lambda b: b.update(termsOfUse={"id": "urn:a"}), "$.termsOfUse"),
    "evidence without a type": (lambda b: b.update(evidence=[{"type": "E"}, {}]), "$.evidence"),
    "a refresh service without a type": (
        lambda b: b.update(refreshService={"id": "urn:a"}),
        "$.refreshService",
    ),
    "a schema without an id": (lambda b: b.update(credentialSchema={"type": "S"}), "$.credentialSchema.id"),
    "a schema without a type": (lambda b: b.update(credentialSchema={"id": "urn:s"}), "$.credentialSchema"),
    "a name with a member of its own": (lambda b: b.update(name={"@value": "x", "url": "y"}), "$.name"),
    "a description without a value": (lambda b: b.update(description={"@language": "en"}), "$.description"),
    "a related resource without an id": (
        lambda b: b.update(relatedResource={"digestSRI": "x"}),
        "$.relatedResource",
    ),
    "a related resource without a digest": (
        lambda b: b.update(relatedResource={"id": "urn:r"}),
        "$.relatedResource",
    ),
    "a context with the digest of another file": (
        lambda b: b.update(relatedResource=resource(OPEN_BADGES_V3)),
        "$.relatedResource.digestSRI",
    ),
    "a context with the multihash of another file": (
        lambda b: b.update(relatedResource={"id": OPEN_BADGES_V3, "digestMultibase": MULTIHASH}),
        "$.relatedResource.digestMultibase",
    ),
    "one wrong digest of two": (
        lambda b: b.update(
            relatedResource={**resource(CREDENTIALS_V2), "digestMultibase": "uEiB" + "A" * 43}
        ),
        "$.relatedResource.digestMultibase",
    ),
    "a digest that is too short": (
        lambda b: b.update(relatedResource=resource("urn:r", digestSRI="sha384-AAAA")),
        "$.relatedResource.digestSRI",
    ),
    "a digest by MD5": (
        lambda b: b.update(relatedResource=resource("urn:r", digestSRI="md5-AAAAAAAAAAAAAAAAAAAAAA==")),
        "$.relatedResource.digestSRI",
    ),
    "a digest that is a number": (
        lambda b: b.update(relatedResource=resource("urn:r", digestSRI=5)),
        "$.relatedResource.digestSRI",
    ),
    "a multihash without its prefix": (
        lambda b: b.update(relatedResource={"id": "urn:r", "digestMultibase": "u" + "A" * 43}),
        "$.relatedResource.digestMultibase",
    ),
    "more related resources than anyone reads": (
        lambda b: b.update(relatedResource=[resource(f"urn:{n}") for n in range(65)]),
        "$.relatedResource",
    ),
    "a language that is a number": (
        lambda b: b.update(name={"@value": "x", "@language": 5}),
        "$.name",
    ),
    "a direction that is none": (
        lambda b: b.update(name={"@value": "x", "@direction": "up"}),
        "$.name",
    ),
    "a related resource twice": (
        lambda b: b.update(relatedResource=[resource("urn:r")] * 2),
        "$.relatedResource",
    ),
}


@pytest.mark.parametrize(("change", "place"), REFUSED.values(), ids=REFUSED.keys())
def test_what_the_data_model_forbids_is_named_with_its_place(
    badge: JsonObject, change: Change, place: str
) -> None:
    change(badge)
    problems = vcdm.problems(badge)
    assert [problem.partition(": ")[0] for problem in problems] == [place]


@pytest.mark.parametrize("document", [None, [], "x", 5])
def test_what_is_not_an_object_is_no_credential(document: Any) -> None:
    assert vcdm.problems(document) == ["$: a credential is a JSON object"]


def test_several_broken_rules_are_all_named() -> None:
    assert len(vcdm.problems({})) == 4


BREAKS_SCHEMA: dict[str, tuple[Change, str]] = {
    "no proof in an array": (lambda b: b.update(proof=b["proof"][0]), "$.proof"),
    "a status list in an array": (
        lambda b: b.update(credentialStatus=[b["credentialStatus"]]),
        "$.credentialStatus",
    ),
    "a type that is a string": (lambda b: b.update(type="OpenBadgeCredential"), "$.type"),
    "no criteria": (
        lambda b: b["credentialSubject"]["achievement"].pop("criteria"),
        "$.credentialSubject.achievement",
    ),
    "a validFrom that is no date-time": (lambda b: b.update(validFrom="yesterday"), "$.validFrom"),
    "an unknown member of an identity": (
        lambda b: b["credentialSubject"]["identifier"][0].update(note="x"),
        "$.credentialSubject.identifier[0]",
    ),
    "an unknown achievement type": (
        lambda b: b["credentialSubject"]["achievement"].update(achievementType="Nano"),
        "$.credentialSubject.achievement.achievementType",
    ),
}


@pytest.mark.parametrize(("change", "place"), BREAKS_SCHEMA.values(), ids=BREAKS_SCHEMA.keys())
def test_what_breaks_the_official_schema_is_named_with_its_place(
    badge: JsonObject, options: JsonObject, change: Change, place: str
) -> None:
    signed = dataintegrity.with_proof(badge, options, bytes(64))
    change(signed)
    assert place in [problem.partition(": ")[0] for problem in openbadge_schema.problems(signed)]


def test_problems_never_repeat_a_value(badge: JsonObject) -> None:
    secret = "Ann Learner <ann@north.example>"
    subject: Any = badge["credentialSubject"]
    subject["identifier"][0]["hashed"] = secret
    subject["achievement"] = {"id": [secret], "type": secret, "criteria": secret}
    badge.update(validFrom=secret, issuer=secret, id=secret, name={"@value": 5, secret: 1})
    assert openbadge_schema.problems(badge)
    assert not any(
        "Ann" in sentence for sentence in [*openbadge_schema.problems(badge), *vcdm.problems(badge)]
    )


def test_problems_are_few() -> None:
    assert len(openbadge_schema.problems({"evidence": [{"type": 5, "name": 5}] * 50})) == 20


MOMENTS: dict[str, datetime | None] = {
    "2026-03-01T09:30:00Z": datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
    "2026-03-01T09:30:00.1234567+05:30": datetime(2026, 3, 1, 4, 0, 0, 123456, tzinfo=UTC),
    "2026-02-28T24:00:00Z": datetime(2026, 3, 1, tzinfo=UTC),
    "2026-03-01T00:00:00-14:00": datetime(2026, 3, 1, 14, tzinfo=UTC),
    "2026-03-01T00:00:00+14:01": None,
    "2026-03-01T24:00:01Z": None,
    "2026-02-29T00:00:00Z": None,
    "2026-03-01T09:30:60Z": None,
    "2026-03-01t09:30:00z": None,
    "2026-03-01 09:30:00Z": None,
    "2026-03-01T09:30Z": None,
    "2026-03-01T09:30:00+0530": None,
    "2026-03-01T09:30:00Z\n": None,
    "٢٠٢٦-03-01T09:30:00Z": None,
    "0001-01-01T00:00:00+14:00": None,
    "": None,
}


@pytest.mark.parametrize(("text", "moment"), MOMENTS.items(), ids=MOMENTS.keys())
def test_a_date_time_stamp_is_read_as_xml_schema_reads_it(text: str, moment: datetime | None) -> None:
    assert datetimes.parse(text) == moment


def test_no_white_space_of_unicode_stands_in_an_iri() -> None:
    spaces = [character for character in map(chr, range(sys.maxunicode + 1)) if character.isspace()]
    assert not [space for space in spaces if jsonld_safety.is_absolute_iri(f"https://example.org/{space}")]
    assert jsonld_safety.is_absolute_iri("https://example.org/\u00e4\u200b\u4e2d")
