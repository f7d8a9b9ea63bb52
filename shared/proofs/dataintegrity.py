"""Data Integrity 1.0: the proof object, made for a document and read from one.

What is hashed and how it is signed lies with the suites, where it is hashed with the workers, who holds the
key with the caller; this module only knows what a proof looks like. Proofs are independent of each other:
each covers the document without any proof.

Reading is strict. Refuses members that a proof does not have (whoever put them there expected them to
mean something), other purposes than assertionMethod, unknown cryptosuites, proof chains, and a proofValue
that is not exactly one signature.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from shared.errors import Invalid
from shared.proofs import datetimes, multikey
from shared.proofs.jsonld_safety import is_absolute_iri
from shared.proofs.strictjson import JsonObject, JsonValue
from shared.proofs.suites import SUITES
from shared.proofs.suites.eddsa_jcs_2022 import EddsaJcs2022

PROOFS_MAX = 8
ASSERTION = "assertionMethod"

_TEXT_MEMBERS = frozenset({"challenge", "domain", "nonce"})
_MEMBERS = _TEXT_MEMBERS | {
    "@context",
    "created",
    "cryptosuite",
    "expires",
    "id",
    "proofPurpose",
    "proofValue",
    "type",
    "verificationMethod",
}


@dataclass(frozen=True, slots=True)
class Proof:
    """One proof as read, with the two things its suite hashes.

    `document` is what the proof speaks for: the document without proofs and, where the proof brings its
    own @context, with that. Whoever verified a proof goes on with `document`, never with the input.
    """

    document: JsonObject
    config: JsonObject
    cryptosuite: str
    verification_method: str
    signature: bytes
    id: str | None
    created: str | None
    expires: str | None


def proof_config(
    document: JsonObject, *, cryptosuite: str, proof_id: str, verification_method: str, created: str
) -> JsonObject:
    """The options of a new proof: everything but its value.

    `created` is a dateTimeStamp, `verification_method` a DID URL, `proof_id` a `urn:uuid:`; the id keeps
    equal proofs in different documents apart, on which canonicalisers disagree. A JCS proof carries the
    document's @context, as its suite demands.
    """
    config: JsonObject = {
        "id": proof_id,
        "type": "DataIntegrityProof",
        "cryptosuite": cryptosuite,
        "created": created,
        "verificationMethod": verification_method,
        "proofPurpose": ASSERTION,
    }
    if cryptosuite == EddsaJcs2022.cryptosuite:
        return {"@context": copy.copy(document["@context"]), **config}
    return config


def with_proof(document: JsonObject, config: JsonObject, signature: bytes) -> JsonObject:
    """`document` with one more proof at the end of its `proof` array; the argument is left as it is."""
    proof: JsonValue = {**config, "proofValue": multikey.encode_multibase(signature)}
    return {**document, "proof": [*_proof_list(document), proof]}


def unsecured(document: JsonObject) -> JsonObject:
    """`document` without its proofs."""
    return {key: value for key, value in document.items() if key != "proof"}


def parse_proofs(document: JsonObject, cryptosuites: Collection[str] = SUITES.keys()) -> list[Proof]:
    """Every proof of `document`, in order; at least one, and each of one of `cryptosuites`.

    Raises `Invalid`: `proof-missing`, `proof-malformed`, `proof-unsupported` or `proof-context`.
    """
    entries = _proof_list(document)
    if not entries:
        raise Invalid("proof-missing", "The document has no proof.")
    if len(entries) > PROOFS_MAX:
        raise _malformed(f"it has more than {PROOFS_MAX} proofs")
    plain = unsecured(document)
    proofs = [_parse(entry, plain, cryptosuites) for entry in entries]
    ids = [proof.id for proof in proofs if proof.id is not None]
    if len(set(ids)) != len(ids):
        raise _malformed("two proofs have one id")
    return proofs


def _proof_list(document: JsonObject) -> Sequence[JsonValue]:
    proof = document.get("proof", [])
    return proof if isinstance(proof, list) else [proof]


def _parse(entry: JsonValue, plain: JsonObject, cryptosuites: Collection[str]) -> Proof:
    if not isinstance(entry, dict):
        raise _malformed("a proof is not an object")
    if "previousProof" in entry:
        raise Invalid("proof-unsupported", "The document has a chain of proofs.")
    unknown = sorted(entry.keys() - _MEMBERS)
    if unknown:
        raise _malformed("a proof has members that are not those of a proof")
    cryptosuite = _text(entry, "cryptosuite")
    if _text(entry, "type") != "DataIntegrityProof" or cryptosuite not in cryptosuites:
        raise Invalid("proof-unsupported", "The proof is of a type or cryptosuite that is not supported.")
    if _text(entry, "proofPurpose") != ASSERTION:
        raise _malformed("the purpose of a proof is not assertionMethod")
    verification_method = _text(entry, "verificationMethod")
    if not is_absolute_iri(verification_method):
        raise _malformed("the verificationMethod of a proof is not a URL")
    _check_options(entry)
    config = {key: value for key, value in entry.items() if key != "proofValue"}
    return Proof(
        document=_in_context_of(config, plain, cryptosuite),
        config=config,
        cryptosuite=cryptosuite,
        verification_method=verification_method,
        signature=_signature(entry),
        id=_optional(entry, "id"),
        created=_optional(entry, "created"),
        expires=_optional(entry, "expires"),
    )


def _check_options(entry: JsonObject) -> None:
    for key in _TEXT_MEMBERS:
        _optional(entry, key)
    proof_id = _optional(entry, "id")
    if proof_id is not None and not is_absolute_iri(proof_id):
        raise _malformed("the id of a proof is not a URL")
    for key in ("created", "expires"):
        moment = _optional(entry, key)
        if moment is not None and datetimes.parse(moment) is None:
            raise _malformed(f"the {key} of a proof is not a date and time with a time zone")


def _in_context_of(config: JsonObject, plain: JsonObject, cryptosuite: str) -> JsonObject:
    """EdDSA Cryptosuites section 3.3.2: the document's @context starts with the proof's, which is used.

    An RDFC proof is read with the document's own @context; a different one beside it would be unsigned.
    """
    if "@context" not in config:
        return plain
    of_proof, of_document = _as_list(config["@context"]), _as_list(plain.get("@context"))
    if cryptosuite == EddsaJcs2022.cryptosuite and of_document[: len(of_proof)] == of_proof:
        return {**plain, "@context": config["@context"]}
    if of_document == of_proof:
        return plain
    raise Invalid("proof-context", "The proof was made for another @context than the document has.")


def _signature(entry: JsonObject) -> bytes:
    try:
        signature = multikey.decode_multibase(_text(entry, "proofValue"))
    except Invalid as cause:
        raise _malformed("the proofValue of a proof is not base58btc multibase") from cause
    if len(signature) != multikey.SIGNATURE_BYTES:
        raise _malformed("the proofValue of a proof is not an Ed25519 signature")
    return signature


def _as_list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else [value]


def _text(entry: JsonObject, key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str):
        raise _malformed(f"the {key} of a proof is missing or not a string")
    return value


def _optional(entry: JsonObject, key: str) -> str | None:
    return _text(entry, key) if key in entry else None


def _malformed(reason: str) -> Invalid:
    return Invalid("proof-malformed", "The proof is not one that can be checked.", (reason,))
