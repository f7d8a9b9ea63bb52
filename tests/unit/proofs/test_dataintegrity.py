"""Proofs of every suite, alone, in sets and in chains: what holds, and what is refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from shared.errors import Invalid
from shared.proofs import dataintegrity, multikey, strictjson
from shared.proofs.standard_codes import standard_code
from shared.proofs.strictjson import JsonObject
from shared.proofs.suites import SUITES
from tests.signing import ISSUER, OTHER, P256_ISSUER, P256_OTHER, issuer_for, secured, verified


def refused_or_unverified(document: JsonObject) -> bool:
    try:
        return not verified(strictjson_round_trip(document))
    except Invalid:
        return True


def strictjson_round_trip(document: JsonObject) -> JsonObject:
    value = strictjson.loads(json.dumps(document).encode())
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize("cryptosuite", SUITES)
def test_what_is_signed_verifies_and_not_with_another_key(badge: JsonObject, cryptosuite: str) -> None:
    signed = secured(badge, cryptosuite)
    assert verified(strictjson_round_trip(signed))
    for stranger in (OTHER, P256_OTHER, P256_ISSUER, ISSUER):
        if stranger != issuer_for(cryptosuite):
            assert not verified(signed, stranger.public_key)


@pytest.mark.parametrize("cryptosuite", SUITES)
def test_hash_data_is_the_proof_hash_and_then_the_document_hash(
    badge: JsonObject, options: JsonObject, cryptosuite: str
) -> None:
    suite = SUITES[cryptosuite]
    first = suite.hash_data(badge, options)
    other_proof = suite.hash_data(badge, {**options, "created": "2026-03-02T00:00:00Z"})
    other_document = suite.hash_data({**badge, "name": "Other"}, options)
    assert len(first) == 64
    assert (first[:32] != other_proof[:32], first[32:] == other_proof[32:]) == (True, True)
    assert (first[:32] == other_document[:32], first[32:] != other_document[32:]) == (True, True)


def test_both_suites_may_prove_one_document_and_each_proof_stands_alone(badge: JsonObject) -> None:
    both = secured(secured(badge, "eddsa-rdfc-2022"), "eddsa-jcs-2022", 2)
    assert [proof.cryptosuite for proof in dataintegrity.parse_proofs(both)] == [
        "eddsa-rdfc-2022",
        "eddsa-jcs-2022",
    ]
    assert verified(both)
    proofs: Any = both["proof"]
    assert verified({**both, "proof": proofs[1]})
    assert verified({**both, "proof": proofs[::-1]})


def test_making_a_proof_leaves_the_document_as_it_was(badge: JsonObject) -> None:
    before = copy.deepcopy(badge)
    secured(badge, "eddsa-jcs-2022")
    assert badge == before


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    return [path for key, child in children for path in [(*prefix, key), *paths(child, (*prefix, key))]]


def mutants(document: JsonObject) -> list[tuple[str, JsonObject]]:
    """Every path dropped, and every leaf altered."""
    found: list[tuple[str, JsonObject]] = []
    for path in paths(document):
        dropped: Any = copy.deepcopy(document)
        holder = dropped
        for step in path[:-1]:
            holder = holder[step]
        leaf = holder.pop(path[-1])
        found.append((f"without {path}", dropped))
        if isinstance(leaf, (dict, list)):
            continue
        altered: Any = copy.deepcopy(document)
        holder = altered
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = (
            not leaf if isinstance(leaf, bool) else leaf + (1 if isinstance(leaf, float) else "x")
        )
        found.append((f"altered {path}", altered))
    return found


@pytest.mark.parametrize("cryptosuite", SUITES)
def test_no_part_can_be_dropped_or_altered(badge: JsonObject, cryptosuite: str) -> None:
    signed = secured(badge, cryptosuite)
    changed = mutants(signed)
    accepted = [name for name, mutant in changed if not refused_or_unverified(mutant)]
    assert accepted == []
    assert len(changed) > 100


@pytest.mark.parametrize("cryptosuite", SUITES)
def test_no_part_can_be_added(badge: JsonObject, cryptosuite: str) -> None:
    signed = secured(badge, cryptosuite)
    for path in [(), *paths(signed)]:
        mutant: Any = copy.deepcopy(signed)
        holder = mutant
        for step in path:
            holder = holder[step]
        if isinstance(holder, dict):
            for key, value in (("description", "added"), ("added", "x"), ("id", "urn:uuid:added")):
                if key not in holder:
                    holder[key] = value
                    assert refused_or_unverified(mutant), (path, key)
                    del holder[key]
        elif isinstance(holder, list):
            holder.append("urn:added")
            # RDFC and JCS see a repeated context; a JCS proof speaks for the document with its own
            # contexts, so one more at the end is accepted and left out of what was verified.
            if path == ("@context",) and cryptosuite == "eddsa-jcs-2022":
                (proof,) = dataintegrity.parse_proofs(mutant)
                assert proof.document == badge
            else:
                assert refused_or_unverified(mutant), path


@pytest.mark.parametrize("context", [["https://www.w3.org/ns/credentials/v2"], "reversed", "absent", None])
def test_a_jcs_proof_holds_only_for_the_contexts_it_was_made_with(badge: JsonObject, context: Any) -> None:
    signed: Any = secured(badge, "eddsa-jcs-2022")
    if context == "reversed":
        signed["@context"].reverse()
        with pytest.raises(Invalid, match="proof-context"):
            dataintegrity.parse_proofs(signed)
    elif context == "absent":
        del signed["@context"]
        with pytest.raises(Invalid, match="proof-context"):
            dataintegrity.parse_proofs(signed)
    else:
        signed["proof"][0]["@context"] = context
        assert refused_or_unverified(signed)


def test_an_rdfc_proof_may_repeat_the_documents_contexts_but_not_bring_others(badge: JsonObject) -> None:
    signed: Any = secured(badge, "eddsa-rdfc-2022")
    signed["proof"][0]["@context"] = list(signed["@context"])
    assert verified(signed)
    signed["proof"][0]["@context"] = signed["@context"][:1]
    with pytest.raises(Invalid, match="proof-context"):
        dataintegrity.parse_proofs(signed)


PROOF_ID = "urn:uuid:00000000-0000-4000-8000-000000000001"
MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown member": ({"note": "x"}, "proof-malformed"),
    "a link to nothing": ({"previousProof": "urn:uuid:1"}, "proof-malformed"),
    "a link that is a number": ({"previousProof": 1}, "proof-malformed"),
    "a link to no proof at all": ({"previousProof": []}, "proof-malformed"),
    "a link to itself": ({"previousProof": PROOF_ID}, "proof-malformed"),
    "one link twice": ({"previousProof": [PROOF_ID, PROOF_ID]}, "proof-malformed"),
    "another type": ({"type": "Ed25519Signature2020"}, "proof-unsupported"),
    "a list as type": ({"type": ["DataIntegrityProof"]}, "proof-malformed"),
    "an unknown cryptosuite": ({"cryptosuite": "eddsa-rot13-2022"}, "proof-unsupported"),
    "no cryptosuite": ({"cryptosuite": None}, "proof-malformed"),
    "another purpose": ({"proofPurpose": "authentication"}, "proof-malformed"),
    "two purposes": ({"proofPurpose": ["assertionMethod", "authentication"]}, "proof-malformed"),
    "a key that is no URL": ({"verificationMethod": "key-1"}, "proof-malformed"),
    "a key object": ({"verificationMethod": {"id": "did:example:1#k"}}, "proof-malformed"),
    "a moment without a zone": ({"created": "2026-03-01T09:30:00"}, "proof-malformed"),
    "an expiry that is a number": ({"expires": 5}, "proof-malformed"),
    "an id that is no URL": ({"id": "first"}, "proof-malformed"),
    "a domain that is an object": ({"domain": {"id": "a"}}, "proof-malformed"),
    "no domain in a list": ({"domain": []}, "proof-malformed"),
    "a number among domains": ({"domain": ["a", 1]}, "proof-malformed"),
    "more domains than a few": ({"domain": [str(n) for n in range(9)]}, "proof-malformed"),
    "a challenge that is a list": ({"challenge": ["a"]}, "proof-malformed"),
    "a nonce that is a number": ({"nonce": 1}, "proof-malformed"),
    "base64url": ({"proofValue": "u" + "A" * 86}, "proof-malformed"),
    "a short signature": ({"proofValue": multikey.encode_multibase(bytes(63))}, "proof-malformed"),
    "a long signature": ({"proofValue": multikey.encode_multibase(bytes(65))}, "proof-malformed"),
    "a line feed after the signature": (
        {"proofValue": multikey.encode_multibase(bytes(64)) + "\n"},
        "proof-malformed",
    ),
    "a megabyte of signature": ({"proofValue": "z" + "1" * 1_000_000}, "proof-malformed"),
}


@pytest.mark.parametrize(("change", "code"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_proof_that_says_more_or_less_than_a_proof_is_refused(
    badge: JsonObject, change: dict[str, Any], code: str
) -> None:
    signed: Any = secured(badge, "eddsa-jcs-2022")
    proof = {**signed["proof"][0], **change}
    signed["proof"] = {key: value for key, value in proof.items() if value is not None}
    with pytest.raises(Invalid) as refusal:
        dataintegrity.parse_proofs(signed)
    assert refusal.value.code == code
    assert standard_code(code) == "https://w3id.org/security#PROOF_VERIFICATION_ERROR"


@pytest.mark.parametrize("proof", [None, [], "x", ["x"], [None], 5])
def test_a_document_without_a_proof_object_is_refused(badge: JsonObject, proof: Any) -> None:
    with pytest.raises(Invalid, match="proof-m"):
        dataintegrity.parse_proofs({**badge, "proof": proof})
    with pytest.raises(Invalid, match="proof-missing"):
        dataintegrity.parse_proofs(badge)


def test_proofs_are_few_and_have_ids_of_their_own(badge: JsonObject) -> None:
    signed: Any = secured(badge, "eddsa-jcs-2022")
    with pytest.raises(Invalid, match="two proofs have one id"):
        dataintegrity.parse_proofs({**signed, "proof": signed["proof"] * 2})
    with pytest.raises(Invalid, match="more than 8"):
        dataintegrity.parse_proofs({**signed, "proof": signed["proof"] * 9})


def test_a_policy_may_allow_fewer_cryptosuites(badge: JsonObject) -> None:
    with pytest.raises(Invalid, match="proof-unsupported"):
        dataintegrity.parse_proofs(secured(badge, "eddsa-jcs-2022"), {"eddsa-rdfc-2022"})


def chained(badge: JsonObject, cryptosuite: str) -> JsonObject:
    """A proof, a second over it by another key, and a third over the second alone."""
    first = secured(badge, cryptosuite)
    second = secured(first, cryptosuite, 2, previous=[proof_id(1)])
    return secured(second, cryptosuite, 3, previous=[proof_id(2)])


def proof_id(number: int) -> str:
    return f"urn:uuid:00000000-0000-4000-8000-{number:012}"


@pytest.mark.parametrize("cryptosuite", SUITES)
def test_a_chain_holds_only_with_the_proofs_that_it_continues(badge: JsonObject, cryptosuite: str) -> None:
    signed: Any = chained(badge, cryptosuite)
    assert verified(strictjson_round_trip(signed))
    first, second, third = signed["proof"]
    assert verified({**signed, "proof": [first]})
    assert verified({**signed, "proof": [third, first, second]})
    for rest in ([second, third], [first, third], [third]):
        with pytest.raises(Invalid, match="continues one that is not there"):
            dataintegrity.parse_proofs({**signed, "proof": rest})
    other: Any = secured(badge, cryptosuite, options={"nonce": "another"})
    assert not verified({**signed, "proof": [other["proof"][0], second]})


@pytest.mark.parametrize("cryptosuite", SUITES)
def test_a_link_that_is_made_a_member_of_a_set_does_not_hold(badge: JsonObject, cryptosuite: str) -> None:
    signed: Any = chained(badge, cryptosuite)
    del signed["proof"][1]["previousProof"]
    assert not verified(signed)


def test_proofs_that_continue_each_other_are_refused(badge: JsonObject) -> None:
    signed: Any = chained(badge, "eddsa-jcs-2022")
    signed["proof"][0]["previousProof"] = proof_id(3)
    with pytest.raises(Invalid, match="in a circle"):
        dataintegrity.parse_proofs(signed)


def test_an_unnamed_proof_may_change_without_the_links_noticing(badge: JsonObject) -> None:
    signed: Any = chained(badge, "eddsa-jcs-2022")
    signed["proof"].append({**signed["proof"][0], "id": proof_id(4), "nonce": "x"})
    hold = [
        SUITES[proof.cryptosuite].check_signature(
            ISSUER.public_key,
            SUITES[proof.cryptosuite].hash_data(proof.document, proof.config),
            proof.signature,
        )
        for proof in dataintegrity.parse_proofs(signed)
    ]
    assert hold == [True, True, True, False]


def test_a_proof_is_for_its_own_purpose_domain_and_challenge(badge: JsonObject) -> None:
    signed = secured(
        badge,
        "eddsa-jcs-2022",
        purpose=dataintegrity.AUTHENTICATION,
        options={"domain": "employer.example", "challenge": "93f1"},
    )
    with pytest.raises(Invalid, match="proof-malformed"):
        dataintegrity.parse_proofs(signed)
    (proof,) = dataintegrity.parse_proofs(signed, purpose=dataintegrity.AUTHENTICATION)
    dataintegrity.refuse_other_audience(proof, "employer.example", "93f1")
    dataintegrity.refuse_other_audience(proof, None, None)
    with pytest.raises(Invalid, match="proof-domain"):
        dataintegrity.refuse_other_audience(proof, "other.example", "93f1")
    with pytest.raises(Invalid, match="proof-challenge"):
        dataintegrity.refuse_other_audience(proof, "employer.example", "93f2")
    assert standard_code("proof-domain") == "https://w3id.org/security#INVALID_DOMAIN_ERROR"
    assert standard_code("proof-challenge") == "https://w3id.org/security#INVALID_CHALLENGE_ERROR"


def test_a_proof_may_name_several_domains(badge: JsonObject) -> None:
    signed: Any = secured(badge, "eddsa-jcs-2022")
    signed["proof"][0]["domain"] = ["a.example", "b.example"]
    (proof,) = dataintegrity.parse_proofs(signed)
    assert proof.domains == ("a.example", "b.example")
