"""What is signed here verifies elsewhere, and theirs verifies here: a hundred credentials a suite, both ways.

The others are @digitalbazaar/vc, the DCC's verifier-core (which knows eddsa-rdfc-2022 alone and no context of
learner records), and pyoxigraph as a second opinion on every canonical form.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pyoxigraph
import pytest

from shared.errors import Invalid
from shared.proofs import strictjson, vcdm
from shared.proofs.contexts import CREDENTIALS_V1, PINNED
from shared.proofs.rdfc import Canonicaliser
from shared.proofs.strictjson import JsonObject
from shared.proofs.suites import SUITES
from tests.interop.conftest import Peer
from tests.products import documents
from tests.shapes import shapes
from tests.signing import KeyPair, issuer_for, secured, verified

ROUNDS = 5
"""Times the twenty shapes: a hundred credentials."""
RDFC = "eddsa-rdfc-2022"
JCS = "eddsa-jcs-2022"
VERIFIED = "verified"


def issued_here(cryptosuites: tuple[str, ...], number: int) -> list[tuple[str, JsonObject]]:
    """The twenty shapes, signed by key `number` with a proof for each suite."""
    signed = []
    key = KeyPair(number, SUITES[cryptosuites[0]].key_kind)
    for name, document in shapes(key.did).items():
        whole: JsonObject = {**document, "id": f"urn:uuid:00000000-0000-4000-9000-{number:012}"}
        for position, cryptosuite in enumerate(cryptosuites):
            whole = secured(whole, cryptosuite, position, key)
        signed.append((name, whole))
    return signed


def tampered(document: JsonObject) -> JsonObject:
    changed: Any = copy.deepcopy(document)
    changed["validFrom"] = "2026-03-01T09:30:01Z"
    return changed


@pytest.mark.node
@pytest.mark.parametrize("cryptosuites", [*((name,) for name in SUITES), (RDFC, JCS)], ids=" and ".join)
def test_a_hundred_of_ours_verify_at_digital_bazaars_and_altered_ones_do_not(
    peer: Peer, cryptosuites: tuple[str, ...]
) -> None:
    checked = 0
    for number in range(1, ROUNDS + 1):
        for name, document in issued_here(cryptosuites, number):
            assert peer.ask("verify", credential=document) == VERIFIED, name
            assert peer.ask("verify", credential=tampered(document)) != VERIFIED, name
            checked += 1
    assert checked == 100


@pytest.mark.node
def test_a_hundred_of_ours_verify_at_the_dccs_and_altered_ones_do_not(peer: Peer) -> None:
    ours = [
        (name, document)
        for number in range(1, ROUNDS + 2)
        for name, document in issued_here((RDFC,), number)
        if name != "a learner record"
    ][:100]
    for name, document in ours:
        assert peer.ask("verifierCore", credential=document) == VERIFIED, name
    for name, document in ours[:20]:
        assert peer.ask("verifierCore", credential=tampered(document)) != VERIFIED, name
    assert len(ours) == 100


@pytest.mark.node
def test_a_credential_of_the_older_data_model_goes_both_ways(peer: Peer) -> None:
    for cryptosuite in SUITES:
        issuer = peer.ask("issuer", cryptosuite=cryptosuite)
        theirs = peer.ask("issue", cryptosuite=cryptosuite, credential=older(issuer))
        assert vcdm.problems(theirs) == []
        assert verified(theirs)
        assert not holds({**theirs, "issuanceDate": "2026-03-01T09:30:01Z"})
        ours = secured(older(issuer_for(cryptosuite).did), cryptosuite)
        assert peer.ask("verify", credential=ours) == VERIFIED


def older(issuer: str) -> JsonObject:
    return {
        "@context": [CREDENTIALS_V1, "https://w3id.org/security/data-integrity/v2"],
        "id": "urn:uuid:00000000-0000-4000-8000-000000000001",
        "type": ["VerifiableCredential"],
        "issuer": issuer,
        "issuanceDate": "2026-03-01T09:30:00Z",
        "credentialSubject": {"id": "did:example:learner"},
    }


@pytest.mark.node
def test_ours_are_refused_elsewhere_for_a_signature_by_another_key(peer: Peer) -> None:
    for cryptosuite in SUITES:
        ((_, document), *_) = issued_here((cryptosuite,), 1)
        ((_, other), *_) = issued_here((cryptosuite,), 2)
        borrowed: Any = copy.deepcopy(document)
        proofs: Any = other["proof"]
        borrowed["proof"][0]["proofValue"] = proofs[0]["proofValue"]
        assert peer.ask("verify", credential=borrowed) != VERIFIED


@pytest.mark.node
@pytest.mark.parametrize("cryptosuite", SUITES)
def test_a_hundred_of_theirs_verify_here_and_altered_ones_do_not(peer: Peer, cryptosuite: str) -> None:
    issuer = peer.ask("issuer", cryptosuite=cryptosuite)
    checked = 0
    for number in range(ROUNDS):
        for name, document in shapes(issuer).items():
            theirs = peer.ask(
                "issue", cryptosuite=cryptosuite, credential={**document, "id": f"urn:example:{number}"}
            )
            read = strictjson.loads(json.dumps(theirs).encode())
            assert isinstance(read, dict)
            assert verified(read), name
            assert not holds(tampered(read)), name
            checked += 1
    assert checked == 100


def holds(document: JsonObject) -> bool:
    try:
        return verified(document)
    except Invalid:
        return False


@pytest.mark.parametrize("name", documents("did:example:issuer"))
def test_an_independent_canonicaliser_agrees_on_every_shape(name: str) -> None:
    document = documents("did:example:issuer")[name]
    # The oracle writes a base direction as RDF 1.2 does; the deployed verifiers, and so we, as a datatype.
    document["issuer"] = json.loads(json.dumps(document["issuer"]).replace(', "@direction": "rtl"', ""))
    urls: Any = document["@context"]
    inlined = {**document, "@context": [PINNED.document(url)["@context"] for url in urls]}
    dataset = pyoxigraph.Dataset(pyoxigraph.parse(json.dumps(inlined).encode(), pyoxigraph.RdfFormat.JSON_LD))
    dataset.canonicalize(pyoxigraph.CanonicalizationAlgorithm.RDFC_1_0)
    assert Canonicaliser().nquads(document) == "".join(sorted(f"{quad} .\n" for quad in dataset))
