"""Facts of a signed document: who signed it, and whether each signature holds.

Finds the public key behind a proof's verificationMethod (Controlled Identifiers 1.0 §3.3). A did:key is its
own key. Anything else is asked of the sources; what they do not have stays unknown. Refuses a name that is
not the full address of one key.
"""

from __future__ import annotations

from datetime import datetime

from services.verifier.facts import DocumentFacts, KeyFacts, Objection, ProofFacts
from services.verifier.objections import failed, objection, unknown
from services.verifier.reading import Reading, ReadProof
from services.verifier.sources import Method, Sources
from shared.errors import Invalid
from shared.proofs import datetimes, didkey, didweb
from shared.proofs.strictjson import JsonValue
from shared.proofs.suites import SUITES


async def document_facts(reading: Reading, sources: Sources) -> DocumentFacts:
    """What was read, together with the keys that its proofs name."""
    proofs = reading.proofs
    issuer = reading.document.get("issuer")
    identifier = issuer.get("id") if isinstance(issuer, dict) else issuer
    if not isinstance(proofs, Objection):
        found = [await _proof_facts(proof, identifier, sources) for proof in proofs]
    return DocumentFacts(
        unreadable=reading.unreadable,
        contexts=reading.contexts,
        proofs=proofs if isinstance(proofs, Objection) else tuple(found),
        issuer=identifier if isinstance(identifier, str) else "",
        valid_from=_moment(reading.document.get("validFrom")),
        valid_until=_moment(reading.document.get("validUntil")),
    )


async def find_method(verification_method: str, signer: JsonValue, sources: Sources) -> Method | Objection:
    """The verification method of this DID URL, or why there is none.

    Nobody but the `signer` that the document names is looked up: no other key could speak for it.
    """
    did, hash_mark, _ = verification_method.partition("#")
    if not hash_mark:
        return failed("did-malformed", "The signature does not say which of the signer's keys made it.")
    try:
        if didkey.is_did_key(did):
            public_key = didkey.public_key(verification_method)
            return Method(verification_method, public_key, KeyFacts(did, authenticates=True))
        if didweb.is_did_web(did):
            didweb.document_url(did)
    except Invalid as refusal:
        return objection(refusal)
    if did != signer:
        return unknown("key-not-retrieved", "It bears a signature of somebody else, who is not looked up.")
    methods = await sources.methods(did, verification_method)
    if isinstance(methods, Objection):
        return methods
    unlisted = failed("key-malformed", "The signer has published no such key.")
    return next((method for method in methods if method.id == verification_method), unlisted)


async def _proof_facts(read: ReadProof, issuer: JsonValue, sources: Sources) -> ProofFacts:
    proof = read.proof
    found = await find_method(proof.verification_method, issuer, sources)
    return ProofFacts(
        verification_method=proof.verification_method,
        created=_moment(proof.created),
        expires=_moment(proof.expires),
        key=found.facts if isinstance(found, Method) else None,
        signature=_signature_objection(read, found),
    )


def _signature_objection(read: ReadProof, found: Method | Objection) -> Objection | None:
    if isinstance(read.hash_data, Objection):
        return read.hash_data
    if isinstance(found, Objection):
        return found
    suite = SUITES[read.proof.cryptosuite]
    if suite.check_signature(found.public_key, read.hash_data, read.proof.signature):
        return None
    message = "The signature does not match: it was altered after it was signed, or signed with another key."
    return failed("proof-wrong", message)


def _moment(text: JsonValue) -> datetime | None:
    return datetimes.parse(text) if isinstance(text, str) else None
