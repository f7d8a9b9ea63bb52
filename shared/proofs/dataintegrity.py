"""Data Integrity 1.0: the proof object, made for a document and read from one.

What is hashed and how it is signed lies with the suites, where it is hashed with the workers, who holds the
key with the caller; this module only knows what a proof looks like and what it speaks for. The proofs of a
document are a set: each covers the document without any proof. A proof with `previousProof` is a link of a
chain: it covers the document with exactly the proofs that it names (Data Integrity 1.0 §4.3, §4.5).

Reading is strict. Refuses members that a proof does not have (whoever put them there expected them to
mean something), another purpose than the one asked for, unknown cryptosuites, a chain that names a proof
that is not there or that comes back to itself, and a proofValue that is not exactly one signature.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from shared.errors import Invalid
from shared.proofs import datetimes, multikey, proof_chain
from shared.proofs.jsonld_safety import is_absolute_iri
from shared.proofs.strictjson import JsonObject, JsonValue
from shared.proofs.suites import SUITES
from shared.proofs.suites.signatures import SIGNATURE_BYTES

PROOFS_MAX = 8
DOMAINS_MAX = 8
ASSERTION = "assertionMethod"
AUTHENTICATION = "authentication"

_MEMBERS = frozenset(
    {
        "@context",
        "challenge",
        "created",
        "cryptosuite",
        "domain",
        "expires",
        "id",
        "nonce",
        "previousProof",
        "proofPurpose",
        "proofValue",
        "type",
        "verificationMethod",
    }
)


@dataclass(frozen=True, slots=True)
class Proof:
    """One proof as read, with the two things its suite hashes.

    `document` is what the proof speaks for: the document with only the proofs that this one continues and,
    where the proof brings its own @context, with that. Whoever verified a proof goes on with `document`,
    never with the input. `domains` and `challenge` say for whom and for which request it was made.
    """

    document: JsonObject
    config: JsonObject
    cryptosuite: str
    verification_method: str
    signature: bytes
    id: str | None
    created: str | None
    expires: str | None
    previous: tuple[str, ...]
    domains: tuple[str, ...]
    challenge: str | None


def proof_config(
    document: JsonObject,
    *,
    cryptosuite: str,
    proof_id: str,
    verification_method: str,
    created: str,
    purpose: str = ASSERTION,
    previous: Sequence[str] = (),
    options: Mapping[str, str] | None = None,
) -> JsonObject:
    """The options of a new proof: everything but its value.

    `created` is a dateTimeStamp, `verification_method` a DID URL, `proof_id` a `urn:uuid:`; the id keeps
    equal proofs in different documents apart, on which canonicalisers disagree. `previous` are the ids of the
    proofs that it continues; `options` may hold `expires`, `domain`, `challenge` and `nonce`. A proof of a
    suite with a context of its own carries the document's @context (EdDSA Cryptosuites 1.0 §3.3.1).
    """
    config: JsonObject = {
        "id": proof_id,
        "type": "DataIntegrityProof",
        "cryptosuite": cryptosuite,
        "created": created,
        "verificationMethod": verification_method,
        "proofPurpose": purpose,
    }
    if previous:
        config["previousProof"] = list(previous)
    config.update(options or {})
    suite = SUITES.get(cryptosuite)
    if suite is not None and suite.own_context:
        return {"@context": copy.copy(document["@context"]), **config}
    return config


def covered(document: JsonObject, config: JsonObject) -> JsonObject:
    """What a new proof with these options is made over: `document` with only the proofs that it continues.

    Raises `Invalid` with code `proof-malformed` if one of them is not among the proofs of `document`.
    """
    return proof_chain.document_with(
        unsecured(document), _proof_list(document), proof_chain.previous_of(config)
    )


def with_proof(document: JsonObject, config: JsonObject, signature: bytes) -> JsonObject:
    """`document` with one more proof at the end of its `proof` array; the argument is left as it is."""
    proof: JsonValue = {**config, "proofValue": multikey.encode_multibase(signature)}
    return {**document, "proof": [*_proof_list(document), proof]}


def unsecured(document: JsonObject) -> JsonObject:
    """`document` without its proofs."""
    return {key: value for key, value in document.items() if key != "proof"}


def parse_proofs(
    document: JsonObject, cryptosuites: Collection[str] = SUITES.keys(), purpose: str = ASSERTION
) -> list[Proof]:
    """Every proof of `document`, in order; at least one, each of one of `cryptosuites`, for `purpose`.

    Raises `Invalid`: `proof-missing`, `proof-malformed`, `proof-unsupported` or `proof-context`.
    """
    entries = _proof_list(document)
    if not entries:
        raise Invalid("proof-missing", "The document has no proof.")
    if len(entries) > PROOFS_MAX:
        raise malformed(f"it has more than {PROOFS_MAX} proofs")
    proofs = [_parse(entry, document, entries, cryptosuites, purpose) for entry in entries]
    ids = [proof.id for proof in proofs if proof.id is not None]
    if len(set(ids)) != len(ids):
        raise malformed("two proofs have one id")
    proof_chain.refuse_circles({proof.id: proof.previous for proof in proofs if proof.id is not None})
    return proofs


def refuse_other_audience(proof: Proof, domain: str | None, challenge: str | None) -> None:
    """Raise `Invalid` unless `proof` was made for this domain and challenge (Data Integrity 1.0 §4.4).

    An expectation that is None is not asked about. Codes `proof-domain` and `proof-challenge`.
    """
    if domain is not None and domain not in proof.domains:
        raise Invalid("proof-domain", "The proof was made for another recipient.")
    if challenge is not None and challenge != proof.challenge:
        raise Invalid("proof-challenge", "The proof does not answer the challenge that was set.")


def malformed(reason: str) -> Invalid:
    """The refusal of what is no proof, or no proof that this software may trust."""
    return proof_chain.malformed(reason)


def _proof_list(document: JsonObject) -> Sequence[JsonValue]:
    return _as_list(document.get("proof", []))


def _parse(
    entry: JsonValue,
    document: JsonObject,
    entries: Sequence[JsonValue],
    cryptosuites: Collection[str],
    purpose: str,
) -> Proof:
    if not isinstance(entry, dict):
        raise malformed("a proof is not an object")
    if entry.keys() - _MEMBERS:
        raise malformed("a proof has members that are not those of a proof")
    cryptosuite = _text(entry, "cryptosuite")
    if _text(entry, "type") != "DataIntegrityProof" or cryptosuite not in cryptosuites:
        raise Invalid("proof-unsupported", "The proof is of a type or cryptosuite that is not supported.")
    if _text(entry, "proofPurpose") != purpose:
        raise malformed(f"the purpose of a proof is not {purpose}")
    verification_method = _text(entry, "verificationMethod")
    if not is_absolute_iri(verification_method):
        raise malformed("the verificationMethod of a proof is not a URL")
    _check_moments_and_names(entry)
    config = {key: value for key, value in entry.items() if key != "proofValue"}
    previous = proof_chain.previous_of(entry)
    in_context = _in_context_of(config, unsecured(document), cryptosuite)
    return Proof(
        document=proof_chain.document_with(in_context, entries, previous),
        config=config,
        cryptosuite=cryptosuite,
        verification_method=verification_method,
        signature=_signature(entry),
        id=_optional(entry, "id"),
        created=_optional(entry, "created"),
        expires=_optional(entry, "expires"),
        previous=previous,
        domains=_domains(entry),
        challenge=_optional(entry, "challenge"),
    )


def _check_moments_and_names(entry: JsonObject) -> None:
    _optional(entry, "nonce")
    proof_id = _optional(entry, "id")
    if proof_id is not None and not is_absolute_iri(proof_id):
        raise malformed("the id of a proof is not a URL")
    for key in ("created", "expires"):
        moment = _optional(entry, key)
        if moment is not None and datetimes.parse(moment) is None:
            raise malformed(f"the {key} of a proof is not a date and time with a time zone")


def _domains(entry: JsonObject) -> tuple[str, ...]:
    """Data Integrity 1.0 §2.1: a string, or an unordered set of strings."""
    if "domain" not in entry:
        return ()
    domains = _as_list(entry["domain"])
    texts = tuple(domain for domain in domains if isinstance(domain, str))
    if len(texts) != len(domains) or not 0 < len(texts) <= DOMAINS_MAX:
        raise malformed("the domain of a proof is neither a string nor a set of a few")
    return texts


def _in_context_of(config: JsonObject, plain: JsonObject, cryptosuite: str) -> JsonObject:
    """EdDSA Cryptosuites section 3.3.2: the document's @context starts with the proof's, which is used.

    An RDFC proof is read with the document's own @context; a different one beside it would be unsigned.
    """
    if "@context" not in config:
        return plain
    of_proof, of_document = _as_list(config["@context"]), _as_list(plain.get("@context"))
    if SUITES[cryptosuite].own_context and of_document[: len(of_proof)] == of_proof:
        return {**plain, "@context": config["@context"]}
    if of_document == of_proof:
        return plain
    raise Invalid("proof-context", "The proof was made for another @context than the document has.")


def _signature(entry: JsonObject) -> bytes:
    try:
        signature = multikey.decode_multibase(_text(entry, "proofValue"))
    except Invalid as cause:
        raise malformed("the proofValue of a proof is not base58btc multibase") from cause
    if len(signature) != SIGNATURE_BYTES:
        raise malformed(f"the proofValue of a proof is not a signature of {SIGNATURE_BYTES} bytes")
    return signature


def _as_list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else [value]


def _text(entry: JsonObject, key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str):
        raise malformed(f"the {key} of a proof is missing or not a string")
    return value


def _optional(entry: JsonObject, key: str) -> str | None:
    return _text(entry, key) if key in entry else None
