"""From a rendered document to the bytes that are hashed, served and kept by learners; defined here alone.

The bytes are compact UTF-8 JSON with the members in the order in which they were rendered and the `proof`
array last. A proof is planned in the intent and made later from nothing but the plan, so that signing again
gives the same bytes. Tokens of the document are made in tokens.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

import orjson

from services.issuer.documents.addresses import stamp
from shared.contracts.credentials import CredentialIssued, MadeProof, PlannedProof
from shared.contracts.posted import PostedCredentialIssued
from shared.proofs import dataintegrity, multikey
from shared.proofs.strictjson import JsonObject


def proof_configs(
    document: JsonObject, planned: Sequence[PlannedProof], key_id: str, created: datetime
) -> list[JsonObject]:
    """The options of each planned proof of `document`, in order (Data Integrity 1.0 section 2.1)."""
    return [
        dataintegrity.proof_config(
            document,
            cryptosuite=proof.cryptosuite,
            proof_id=proof.id,
            verification_method=proof.key_id or key_id,
            created=stamp(created),
        )
        for proof in planned
    ]


def with_signatures(
    document: JsonObject, configs: Sequence[JsonObject], signatures: Sequence[bytes]
) -> JsonObject:
    """`document` with one proof for each of `configs` and the signature (64 bytes) made for it."""
    for config, signature in zip(configs, signatures, strict=True):
        document = dataintegrity.with_proof(document, config, signature)
    return document


def made_proofs(document: JsonObject) -> tuple[MadeProof, ...]:
    """What credential.signed records of a document with proofs: their ids, suites and multibase values."""
    return tuple(
        MadeProof.model_validate(
            {"id": proof["id"], "cryptosuite": proof["cryptosuite"], "proof_value": proof["proofValue"]}
        )
        for proof in _proofs(document)
    )


def _proofs(document: JsonObject) -> list[JsonObject]:
    proofs = document["proof"]
    return [proof for proof in proofs if isinstance(proof, dict)] if isinstance(proofs, list) else []


def signatures_of(made: Sequence[MadeProof]) -> list[bytes]:
    """The signatures in recorded proofs."""
    return [multikey.decode_multibase(proof.proof_value) for proof in made]


def reassembled(
    document: JsonObject, issued: CredentialIssued | PostedCredentialIssued, made: Sequence[MadeProof]
) -> bytes:
    """The bytes of `document` with the proofs that its intent planned and that were `made`."""
    configs = proof_configs(document, issued.proofs, issued.key_id, issued.created)
    return document_bytes(with_signatures(document, configs, signatures_of(made)))


def document_bytes(document: JsonObject) -> bytes:
    """The one spelling of a document."""
    return orjson.dumps(document)


def digest(data: bytes) -> str:
    """SHA-256 (hex) of a document's bytes, as credential.signed records it."""
    return hashlib.sha256(data).hexdigest()
