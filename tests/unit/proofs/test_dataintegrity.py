"""Data Integrity proofs against the published vectors, byte for byte, and against tampering."""

from __future__ import annotations

import copy
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import base58
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.errors import Invalid
from shared.proofs import dataintegrity, didkey, ed25519, jcs, multikey, strictjson
from shared.proofs.contexts import ContextSet
from shared.proofs.rdfc import Canonicaliser
from shared.proofs.standard_codes import standard_code
from shared.proofs.strictjson import JsonObject
from shared.proofs.suites import SUITES, Suite
from shared.proofs.suites.eddsa_jcs_2022 import EddsaJcs2022
from shared.proofs.suites.eddsa_rdfc_2022 import EddsaRdfc2022

SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEY = SIGNER.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
DID = didkey.did(PUBLIC_KEY)


def private_key(keypair: JsonObject) -> Ed25519PrivateKey:
    data = base58.b58decode(str(keypair["privateKeyMultibase"])[1:])
    assert data[:2] == b"\x80\x26"
    return Ed25519PrivateKey.from_private_bytes(data[2:])


def secured(document: JsonObject, cryptosuite: str, number: int = 1) -> JsonObject:
    """`document` with a proof by SIGNER."""
    config = dataintegrity.proof_config(
        document,
        cryptosuite=cryptosuite,
        proof_id=f"urn:uuid:00000000-0000-4000-8000-{number:012}",
        verification_method=didkey.verification_method_id(DID),
        created="2026-03-01T09:30:00Z",
    )
    hashed = SUITES[cryptosuite].hash_data(dataintegrity.unsecured(document), config)
    return dataintegrity.with_proof(document, config, SIGNER.sign(hashed))


def verified(document: JsonObject, public_key: bytes = PUBLIC_KEY) -> bool:
    """All of the document's proofs, as a verifier would check them."""
    proofs = dataintegrity.parse_proofs(document)
    hashes = [SUITES[proof.cryptosuite].hash_data(proof.document, proof.config) for proof in proofs]
    return all(
        ed25519.check_signature(public_key, hashed, proof.signature)
        for proof, hashed in zip(proofs, hashes, strict=True)
    )


def refused_or_unverified(document: JsonObject) -> bool:
    try:
        return not verified(strictjson_round_trip(document))
    except Invalid:
        return True


def strictjson_round_trip(document: JsonObject) -> JsonObject:
    value = strictjson.loads(json.dumps(document).encode())
    assert isinstance(value, dict)
    return value


W3C = {
    "eddsa-rdfc-2022": ("eddsa-rdfc-2022", "DataInt"),
    "eddsa-jcs-2022": ("eddsa-jcs-2022", "JCS"),
}


@pytest.mark.parametrize("cryptosuite", W3C)
def test_the_w3c_vectors_come_out_byte_for_byte_at_every_step(
    cryptosuite: str, vectors: Path, keypair: JsonObject, with_examples: ContextSet
) -> None:
    folder, suffix = vectors / "vc-di-eddsa" / W3C[cryptosuite][0], W3C[cryptosuite][1]
    document = json.loads((vectors / "vc-di-eddsa" / "unsigned.json").read_bytes())
    config = json.loads((folder / f"proofConfig{suffix}.json").read_bytes())
    canonicaliser = Canonicaliser(with_examples)
    suite: Suite
    if cryptosuite == "eddsa-rdfc-2022":
        suite = EddsaRdfc2022(canonicaliser)
        canonical, canonical_config = canonicaliser.nquads(document), canonicaliser.nquads(config)
    else:
        suite = EddsaJcs2022()
        canonical, canonical_config = (
            jcs.canonical_bytes(document).decode(),
            jcs.canonical_bytes(config).decode(),
        )

    assert canonical == (folder / f"canonDoc{suffix}.txt").read_text()
    assert canonical_config == (folder / f"proofCanon{suffix}.txt").read_text()
    assert sha256(canonical.encode()).hexdigest() == (folder / f"docHash{suffix}.txt").read_text()
    assert sha256(canonical_config.encode()).hexdigest() == (folder / f"proofHash{suffix}.txt").read_text()
    hashed = suite.hash_data(document, config)
    assert hashed.hex() == (folder / f"combinedHash{suffix}.txt").read_text()
    signature = private_key(keypair).sign(hashed)
    assert signature.hex() == (folder / f"sigHex{suffix}.txt").read_text()
    assert multikey.encode_multibase(signature) == (folder / f"sigBTC58{suffix}.txt").read_text()

    (proof,) = dataintegrity.parse_proofs(json.loads((folder / f"signed{suffix}.json").read_bytes()))
    assert proof.signature == signature
    assert suite.hash_data(proof.document, proof.config) == hashed
    public_key = multikey.decode_public_key(str(keypair["publicKeyMultibase"]))
    assert didkey.public_key(proof.verification_method) == public_key
    assert ed25519.check_signature(public_key, hashed, proof.signature)


def test_the_employment_vector_is_signed_over_its_published_canonical_forms(
    vectors: Path, keypair: JsonObject
) -> None:
    folder = vectors / "vc-di-eddsa" / "eddsa-rdfc-2022" / "employ"  # its context is not published with it
    document, config = folder / "canonDocDataInt.txt", folder / "proofCanonDataInt.txt"
    hashed = sha256(config.read_bytes()).digest() + sha256(document.read_bytes()).digest()
    assert hashed.hex() == (folder / "combinedHashDataInt.txt").read_text()
    (proof,) = dataintegrity.parse_proofs(json.loads((folder / "signedDataInt.json").read_bytes()))
    public_key = multikey.decode_public_key(str(keypair["publicKeyMultibase"]))
    assert ed25519.check_signature(public_key, hashed, proof.signature)


def test_the_w3c_proof_set_verifies_proof_by_proof(vectors: Path, with_examples: ContextSet) -> None:
    folder = vectors / "vc-di-eddsa" / "proof-set-chain"
    proofs = dataintegrity.parse_proofs(json.loads((folder / "signedProofSet2.json").read_bytes()))
    suite = EddsaRdfc2022(Canonicaliser(with_examples))
    assert len(proofs) == 2
    for proof in proofs:
        hashed = suite.hash_data(proof.document, proof.config)
        public_key = didkey.public_key(proof.verification_method)
        assert ed25519.check_signature(public_key, hashed, proof.signature)


@pytest.mark.parametrize("name", ["signedProofChain1.json", "signedProofChain2.json"])
def test_a_proof_chain_is_refused_and_not_taken_for_a_set(name: str, vectors: Path) -> None:
    document = json.loads((vectors / "vc-di-eddsa" / "proof-set-chain" / name).read_bytes())
    with pytest.raises(Invalid, match="proof-unsupported"):
        dataintegrity.parse_proofs(document)


@pytest.mark.parametrize("cryptosuite", SUITES)
def test_what_is_signed_verifies_and_not_with_another_key(badge: JsonObject, cryptosuite: str) -> None:
    signed = secured(badge, cryptosuite)
    other = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    assert verified(strictjson_round_trip(signed))
    assert not verified(signed, other.public_bytes(Encoding.Raw, PublicFormat.Raw))


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


MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown member": ({"note": "x"}, "proof-malformed"),
    "a chain": ({"previousProof": "urn:uuid:1"}, "proof-unsupported"),
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
    "a domain that is a list": ({"domain": ["a"]}, "proof-malformed"),
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


def wycheproof() -> list[Any]:
    data = json.loads(
        (Path(__file__).parents[2] / "vectors" / "wycheproof" / "ed25519_test.json").read_bytes()
    )
    return [(group["publicKey"]["pk"], test) for group in data["testGroups"] for test in group["tests"]]


def test_the_wycheproof_signatures_are_judged_as_labelled() -> None:
    judged = [
        (
            test["tcId"],
            ed25519.check_signature(
                bytes.fromhex(key), bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])
            ),
        )
        for key, test in wycheproof()
    ]
    labelled = [(test["tcId"], test["result"] == "valid") for _, test in wycheproof()]
    assert judged == labelled
    assert len(judged) == 151


def test_a_signature_that_openssl_accepts_for_any_message_is_not_accepted_here() -> None:
    identity = (1).to_bytes(32, "little")
    forged = identity + bytes(32)
    ed25519._loaded(identity).verify(forged, b"any message")
    assert not ed25519.check_signature(identity, b"any message", forged)
