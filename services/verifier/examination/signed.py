"""Facts of a signed document: who signed it, and whether each signature holds.

Finds the public key behind a proof's verificationMethod (Controlled Identifiers 1.0 §3.3). A did:key is its
own key. Anything else is asked of the sources; what they do not have stays unknown. Refuses a name that is
not the full address of one key.
"""

from __future__ import annotations

from services.verifier.domain.facts import DocumentFacts, KeyFacts, Objection, ProofFacts
from services.verifier.examination.objections import failed, objection, unknown
from services.verifier.examination.reading import PRESENTATION, Reading, ReadProof
from services.verifier.examination.sources import Method, Sources
from shared.errors import Invalid
from shared.proofs import didkey, didweb, vcdm
from shared.proofs.public_keys import PublicKey


async def document_facts(reading: Reading, sources: Sources, looked_up: str | None = None) -> DocumentFacts:
    """What was read, together with the keys that its proofs name.

    The one identifier that may be looked up is `looked_up`: its own signer, unless another is named.
    """
    proofs, signer = reading.proofs, reading.signer
    if not isinstance(proofs, Objection):
        asked = signer if looked_up is None else looked_up
        found = [await _proof_facts(proof, signer, asked, sources) for proof in proofs]
    valid_from, valid_until = vcdm.validity(reading.document)
    return DocumentFacts(
        unreadable=reading.unreadable,
        contexts=reading.contexts,
        proofs=proofs if isinstance(proofs, Objection) else tuple(found),
        issuer=signer,
        valid_from=valid_from,
        valid_until=valid_until,
        presented=reading.kind is PRESENTATION,
    )


async def find_method(verification_method: str, looked_up: str, sources: Sources) -> Method | Objection:
    """The verification method of this DID URL, or why there is none.

    Nobody but `looked_up` is looked up, the signer that the document names: no other key could speak for it.
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
    if did != looked_up:
        return _somebody_else()
    methods = await sources.methods(did, verification_method)
    if isinstance(methods, Objection):
        return methods
    unlisted = failed("key-malformed", "The signer has published no such key.")
    return next((method for method in methods if method.id == verification_method), unlisted)


async def _proof_facts(read: ReadProof, signer: str, looked_up: str, sources: Sources) -> ProofFacts:
    if read.verification_method is None:
        found = await _method_of_key(read.key, signer, looked_up, sources)
    else:
        found = await find_method(read.verification_method, looked_up, sources)
    return ProofFacts(
        verification_method=found.id if isinstance(found, Method) else read.verification_method or "",
        created=read.created,
        expires=read.expires,
        key=found.facts if isinstance(found, Method) else None,
        signature=_signature_objection(read, found),
    )


async def _method_of_key(
    key: PublicKey | None, signer: str, looked_up: str, sources: Sources
) -> Method | Objection:
    """The method of a key that the signature brings along: it counts if the signer has published it."""
    unlisted = failed("key-malformed", "It was signed with a key that its issuer has not published.")
    try:
        if didkey.is_did_key(signer):
            method_id = didkey.verification_method_id(signer)
            own = didkey.public_key(signer) == key
            facts = KeyFacts(signer, authenticates=True)
            return Method(method_id, didkey.public_key(signer), facts) if own else unlisted
        if didweb.is_did_web(signer):
            didweb.document_url(signer)
    except Invalid as refusal:
        return objection(refusal)
    if signer != looked_up:
        return _somebody_else()
    methods = await sources.methods(signer, signer)
    if isinstance(methods, Objection):
        return methods
    return next((method for method in methods if method.public_key == key), unlisted)


def _somebody_else() -> Objection:
    return unknown("key-not-retrieved", "It bears a signature of somebody else, who is not looked up.")


def _signature_objection(read: ReadProof, found: Method | Objection) -> Objection | None:
    if isinstance(read.check, Objection):
        return read.check
    if isinstance(found, Objection):
        return found
    if read.check(found.public_key):
        return None
    message = "The signature does not match: it was altered after it was signed, or signed with another key."
    return failed("proof-wrong", message)
