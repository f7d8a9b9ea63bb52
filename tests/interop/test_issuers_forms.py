"""What the issuer itself makes, a hundred credentials in every form at once, verifies at the others.

One document with a proof by each suite, under two keys of one did:web, goes to @digitalbazaar/vc; its tokens
go to jose with the keys of the same DID document.
"""

from __future__ import annotations

import asyncio
import copy
import json
from typing import Any

import pytest

from services.issuer.documents.credential import CredentialFacts, render_credential
from services.issuer.documents.issuers import ListedKey, did_document
from services.issuer.documents.signed import proof_configs, with_signatures
from services.issuer.documents.tokens import token_bytes
from services.issuer.handlers.proving import Draft, prove, proving_here
from services.issuer.handlers.token_signing import sign_tokens, unsigned_tokens
from shared.contracts.credentials import PlannedProof, PlannedToken
from shared.key_kinds import KeyKind
from shared.keys import EphemeralSigner
from shared.proofs import base64url, jwk, multikey
from shared.proofs.suites import SUITES
from tests.interop.conftest import Peer
from tests.interop.test_other_tokens import altered
from tests.interop.test_other_verifiers import VERIFIED, tampered
from tests.unit.issuer.samples import DID, FACTS

CREDENTIALS = 100
SIGNERS = {kind: EphemeralSigner(kind) for kind in KeyKind}
DOCUMENT = did_document(DID, [ListedKey(signer.public_key) for signer in SIGNERS.values()])
METHODS: Any = DOCUMENT["verificationMethod"]
KEY_IDS = {kind: str(method["id"]) for kind, method in zip(SIGNERS, METHODS, strict=True)}
PUBLIC_KEYS = {("oslo", KEY_IDS[kind]): signer.public_key for kind, signer in SIGNERS.items()}
TOKENS = [
    ("vc+jwt", KeyKind.ED25519),
    ("vc+jwt", KeyKind.P256),
    ("ob-jwt", KeyKind.P256),
    ("ob-jwt", KeyKind.RSA),
]


def facts(number: int) -> CredentialFacts:
    """The facts of a credential that is planned in every form."""
    proofs = tuple(
        PlannedProof(
            id=f"urn:uuid:00000000-0000-5000-8000-{position:03}{number:09}",
            cryptosuite=name,
            key_id=KEY_IDS[suite.key_kind],
        )
        for position, (name, suite) in enumerate(SUITES.items())
    )
    tokens = tuple(PlannedToken(form=form, key_id=KEY_IDS[kind]) for form, kind in TOKENS)
    changes = {"credential_id": f"7f3c0000-0000-8000-8000-{number:012}", "proofs": proofs, "tokens": tokens}
    return FACTS._replace(issued=FACTS.issued.model_copy(update=changes | {"renderer": 2}))


async def made() -> tuple[list[Any], list[list[str]]]:
    """A hundred documents with their proofs, and the tokens of each."""
    wanted = [facts(number) for number in range(CREDENTIALS)]
    drafts = []
    for each in wanted:
        document = render_credential(2, each)
        configs = proof_configs(document, each.issued.proofs, each.issued.key_id, each.issued.created)
        drafts.append(Draft(document, configs, "oslo", PUBLIC_KEYS))
    signers = {("oslo", KEY_IDS[kind]): signer for kind, signer in SIGNERS.items()}
    unsigned = [unsigned_tokens(*pair) for pair in zip(wanted, drafts, strict=True)]
    signatures = await prove(proving_here(SUITES), signers, drafts)
    tokens = await sign_tokens(signers, drafts, unsigned)
    documents = [
        with_signatures(draft.document, draft.configs, signed)
        for draft, signed in zip(drafts, signatures, strict=True)
    ]
    texts = [
        [token_bytes(each.signed, token).decode() for each, token in zip(*pair, strict=True)]
        for pair in zip(unsigned, tokens, strict=True)
    ]
    return documents, texts


@pytest.fixture(scope="module")
def everything() -> tuple[list[Any], list[list[str]]]:
    return asyncio.run(made())


def test_a_document_with_a_proof_by_each_suite_verifies_at_digital_bazaars(
    peer: Peer, everything: tuple[list[Any], list[list[str]]]
) -> None:
    assert peer.ask("resolve", document=DOCUMENT) == DID
    documents, _ = everything
    for document in documents:
        # One at a time: of a set it takes any that holds for enough.
        alone = [{**document, "proof": [proof]} for proof in document["proof"]]
        assert [peer.ask("verify", credential=each) for each in alone] == [VERIFIED] * len(SUITES)
        assert peer.ask("verify", credential=tampered(document)) != VERIFIED
    assert peer.ask("verify", credential=documents[0]) == VERIFIED
    for position in range(len(SUITES)):
        spoilt = copy.deepcopy(documents[0]["proof"][position])
        spoilt["proofValue"] = documents[1]["proof"][position]["proofValue"]
        assert peer.ask("verify", credential={**documents[0], "proof": [spoilt]}) != VERIFIED


@pytest.mark.parametrize("position", range(len(TOKENS)), ids=[" ".join(pair) for pair in TOKENS])
def test_its_tokens_verify_at_jose(
    peer: Peer, everything: tuple[list[Any], list[list[str]]], position: int
) -> None:
    for of_document in everything[1]:
        text = of_document[position]
        header = json.loads(base64url.decode(text.partition(".")[0]))
        method = next(each for each in METHODS if each["id"] == header["kid"])
        key = method.get("publicKeyJwk")
        if key is None:
            key = jwk.encode(multikey.decode_public_key(method["publicKeyMultibase"]))
        known = {**key, "alg": header["alg"]}
        assert peer.ask("joseVerify", token=text, jwk=known) == VERIFIED
        assert peer.ask("joseVerify", token=altered(text), jwk=known) != VERIFIED
