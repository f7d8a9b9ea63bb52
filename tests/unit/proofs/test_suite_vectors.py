"""The suites against the vectors of the W3C, byte for byte at every step."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import base58
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from shared.proofs import dataintegrity, didkey, ed25519, jcs, multikey
from shared.proofs.contexts import ContextSet
from shared.proofs.public_keys import PublicKey
from shared.proofs.rdfc import Canonicaliser
from shared.proofs.strictjson import JsonObject
from shared.proofs.suites import Suite
from shared.proofs.suites.ecdsa_rdfc_2019 import EcdsaRdfc2019
from shared.proofs.suites.eddsa_jcs_2022 import EddsaJcs2022
from shared.proofs.suites.eddsa_rdfc_2022 import EddsaRdfc2022

EDDSA = "vc-di-eddsa"
CHAIN = "proof-set-chain"


def ed25519_key(multibase: object) -> Ed25519PrivateKey:
    data = base58.b58decode(str(multibase)[1:])
    assert data[:2] == b"\x80\x26"
    return Ed25519PrivateKey.from_private_bytes(data[2:])


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_bytes())


@pytest.mark.parametrize(
    ("cryptosuite", "suffix"), [("eddsa-rdfc-2022", "DataInt"), ("eddsa-jcs-2022", "JCS")]
)
def test_the_eddsa_vectors_come_out_byte_for_byte_at_every_step(
    cryptosuite: str, suffix: str, vectors: Path, keypair: JsonObject, with_examples: ContextSet
) -> None:
    folder = vectors / EDDSA / cryptosuite
    document, config = read(vectors / EDDSA, "unsigned.json"), read(folder, f"proofConfig{suffix}.json")
    canonicaliser = Canonicaliser(with_examples)
    suite: Suite = EddsaJcs2022() if suffix == "JCS" else EddsaRdfc2022(canonicaliser)

    def canonical(value: JsonObject) -> str:
        return jcs.canonical_bytes(value).decode() if suffix == "JCS" else canonicaliser.nquads(value)

    def published(step: str) -> str:
        return (folder / f"{step}{suffix}.txt").read_text()

    assert canonical(document) == published("canonDoc")
    assert canonical(config) == published("proofCanon")
    assert sha256(canonical(document).encode()).hexdigest() == published("docHash")
    assert sha256(canonical(config).encode()).hexdigest() == published("proofHash")
    hashed = suite.hash_data(document, config)
    assert hashed.hex() == published("combinedHash")
    signature = ed25519_key(keypair["privateKeyMultibase"]).sign(hashed)
    assert signature.hex() == published("sigHex")
    assert multikey.encode_multibase(signature) == published("sigBTC58")

    (proof,) = dataintegrity.parse_proofs(read(folder, f"signed{suffix}.json"))
    assert proof.signature == signature
    assert suite.hash_data(proof.document, proof.config) == hashed
    public_key = multikey.decode_public_key(str(keypair["publicKeyMultibase"]))
    assert didkey.public_key(proof.verification_method) == public_key
    assert suite.check_signature(public_key, hashed, proof.signature)


def test_the_employment_vector_is_signed_over_its_published_canonical_forms(
    vectors: Path, keypair: JsonObject
) -> None:
    folder = vectors / EDDSA / "eddsa-rdfc-2022" / "employ"  # its context is not published with it
    document, config = folder / "canonDocDataInt.txt", folder / "proofCanonDataInt.txt"
    hashed = sha256(config.read_bytes()).digest() + sha256(document.read_bytes()).digest()
    assert hashed.hex() == (folder / "combinedHashDataInt.txt").read_text()
    (proof,) = dataintegrity.parse_proofs(read(folder, "signedDataInt.json"))
    public_key = multikey.decode_public_key(str(keypair["publicKeyMultibase"]))
    assert public_key.verify(hashed, proof.signature)


def test_the_ecdsa_vector_comes_out_byte_for_byte_at_every_step(
    vectors: Path, with_examples: ContextSet
) -> None:
    folder = vectors / "vc-di-ecdsa" / "ecdsa-rdfc-2019-p256"
    keypair = read(vectors / "vc-di-ecdsa", "p256KeyPair.json")
    suite = EcdsaRdfc2019(Canonicaliser(with_examples))
    (proof,) = dataintegrity.parse_proofs(read(folder, "signedECDSAP256.json"))

    hashed = suite.hash_data(proof.document, proof.config)
    assert hashed.hex() == (folder / "combinedHashECDSAP256.txt").read_text()
    assert proof.signature.hex() == (folder / "sigHexECDSAP256.txt").read_text()
    assert multikey.encode_multibase(proof.signature) == (folder / "sigBTC58ECDSAP256.txt").read_text()
    public_key = multikey.decode_public_key(keypair["publicKeyMultibase"])
    assert didkey.public_key(proof.verification_method) == public_key
    assert suite.check_signature(public_key, hashed, proof.signature)

    secret = base58.b58decode(keypair["secretKeyMultibase"][1:])
    assert secret[:2] == b"\x86\x26"
    key = ec.derive_private_key(int.from_bytes(secret[2:], "big"), ec.SECP256R1())
    r, s = decode_dss_signature(key.sign(hashed, ec.ECDSA(SHA256(), deterministic_signing=True)))
    assert r.to_bytes(32, "big") + s.to_bytes(32, "big") == proof.signature


def verified_with(suite: Suite, document: JsonObject) -> list[bool]:
    return [
        suite.check_signature(
            didkey.public_key(proof.verification_method),
            suite.hash_data(proof.document, proof.config),
            proof.signature,
        )
        for proof in dataintegrity.parse_proofs(document)
    ]


STEPS = {
    "the first of the set": ("keyPair1", "proofSetConfig1", "proofSetConfigSigned1", None),
    "the second of the set": ("keyPair2", "proofSetConfig2", "proofSetConfigSigned2", None),
    "the link after both": ("keyPair3", "proofChainConfig1", "proofChainConfigSigned1", "proofChainTempDoc1"),
    "the link after that": ("keyPair4", "proofChainConfig2", "proofChainConfigSigned2", "proofChainTempDoc2"),
}


@pytest.mark.parametrize(("pair", "config", "signed", "covers"), STEPS.values(), ids=STEPS.keys())
def test_each_proof_of_set_and_chain_is_made_as_published_over_what_is_published(
    pair: str, config: str, signed: str, covers: str | None, vectors: Path, with_examples: ContextSet
) -> None:
    folder = vectors / EDDSA / CHAIN
    options = read(folder, f"{config}.json")
    whole = read(folder, "signedProofChain2.json")
    document = dataintegrity.covered(whole, options)
    assert document == read(folder, f"{covers or 'unsigned'}.json")
    suite = EddsaRdfc2022(Canonicaliser(with_examples))
    (signature,) = suite.sign(
        _Signer(read(folder, "multiKeyPairs.json")[pair]), [suite.hash_data(document, options)]
    )
    made: Any = dataintegrity.with_proof(document, options, signature)
    assert made["proof"][-1] == read(folder, f"{signed}.json")


class _Signer:
    def __init__(self, pair: dict[str, str]) -> None:
        self._key = ed25519_key(pair["privateKeyMultibase"])

    def sign(self, messages: Any) -> list[bytes]:
        return [self._key.sign(message) for message in messages]


@pytest.mark.parametrize(
    ("name", "proofs"),
    [("ProofSet1", 1), ("ProofSet2", 2), ("ProofChain1", 3), ("ProofChain2", 4)],
)
def test_the_published_sets_and_chains_verify_proof_by_proof(
    name: str, proofs: int, vectors: Path, with_examples: ContextSet
) -> None:
    suite = EddsaRdfc2022(Canonicaliser(with_examples))
    document = read(vectors / EDDSA / CHAIN, f"signed{name}.json")
    assert verified_with(suite, document) == [True] * proofs


def test_a_link_covers_the_values_of_the_proofs_before_it(vectors: Path, with_examples: ContextSet) -> None:
    suite = EddsaRdfc2022(Canonicaliser(with_examples))
    document = read(vectors / EDDSA / CHAIN, "signedProofChain2.json")
    document["proof"][1]["proofValue"] = document["proof"][0]["proofValue"]
    assert verified_with(suite, document) == [True, False, False, True]


def wycheproof(name: str) -> list[tuple[Any, Any]]:
    data = read(Path(__file__).parents[2] / "vectors" / "wycheproof", name)
    return [(group, test) for group in data["testGroups"] for test in group["tests"]]


def test_the_wycheproof_signatures_of_ed25519_are_judged_as_labelled() -> None:
    cases = wycheproof("ed25519_test.json")
    judged = [
        ed25519.check_signature(
            bytes.fromhex(group["publicKey"]["pk"]), bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])
        )
        for group, test in cases
    ]
    assert judged == [test["result"] == "valid" for _, test in cases]
    assert len(judged) == 151


def test_the_wycheproof_signatures_of_p256_are_judged_as_labelled() -> None:
    cases = wycheproof("ecdsa_secp256r1_sha256_p1363_test.json")
    judged = []
    for group, test in cases:
        point = bytes.fromhex(group["publicKey"]["uncompressed"])
        key = PublicKey.p256(bytes([2 + point[-1] % 2]) + point[1:33])
        judged.append(key.verify(bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])))
    assert judged == [test["result"] == "valid" for _, test in cases]
    assert len(judged) > 200


def test_a_signature_that_openssl_accepts_for_any_message_is_not_accepted_here() -> None:
    identity = (1).to_bytes(32, "little")
    forged = identity + bytes(32)
    ed25519._loaded(identity).verify(forged, b"any message")
    assert not ed25519.check_signature(identity, b"any message", forged)
