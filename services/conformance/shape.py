"""The shape of what the suites send: credentials of the data model 2.0, and of its predecessor 1.1.

Version 1.1 is spoken here alone, since suites for it are still run; the product takes 2.0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources

from services.verifier.reading import CREDENTIAL
from services.verifier.several import many
from shared.proofs import datetimes
from shared.proofs.contexts import PINNED
from shared.proofs.jsonld_safety import is_absolute_iri
from shared.proofs.strictjson import JsonObject, JsonValue

CREDENTIALS_V1 = "https://www.w3.org/2018/credentials/v1"
DATA_INTEGRITY_V2 = "https://w3id.org/security/data-integrity/v2"
EXAMPLES_V2 = "https://www.w3.org/ns/credentials/examples/v2"
EXAMPLES_SHA256 = "57393fbc69d6efb9b9b5dc9cb6b9880b0944360abfe2eaf459c9e58cf2279d7c"

_TYPED = ("credentialStatus", "termsOfUse", "evidence", "refreshService", "credentialSchema")


def problems(document: JsonValue) -> list[str]:
    """One sentence per broken rule of whichever version the document claims to be."""
    if isinstance(document, dict) and _is_v1(document):
        return list(_v1_problems(document))
    return CREDENTIAL.problems(document)


KIND = replace(CREDENTIAL, problems=problems)
"""What is examined here as a credential."""


def _examples() -> bytes:
    data = resources.files(__name__.rpartition(".")[0]).joinpath("credentials-examples-v2.json").read_bytes()
    if hashlib.sha256(data).hexdigest() != EXAMPLES_SHA256:
        raise RuntimeError("the pinned examples context was altered")
    return data


CONTEXTS = PINNED.with_context(EXAMPLES_V2, _examples())
"""The pinned contexts, and one that the suites use and that defines every word: for no other purpose."""


def with_proof_context(document: JsonObject) -> JsonObject:
    """A credential of version 1.1 with the context that defines its proof (VC-API suites leave it out)."""
    context = document.get("@context")
    if not _is_v1(document) or not isinstance(context, list) or DATA_INTEGRITY_V2 in context:
        return document
    return {**document, "@context": [*context, DATA_INTEGRITY_V2]}


def _is_v1(document: JsonObject) -> bool:
    context = document.get("@context")
    return isinstance(context, list) and context[:1] == [CREDENTIALS_V1]


def _v1_problems(document: JsonObject) -> Iterator[str]:
    """Verifiable Credentials Data Model 1.1 §4.2 to §4.9."""
    types = many(document.get("type"))
    if "VerifiableCredential" not in types or not all(isinstance(name, str) for name in types):
        yield "$.type: must be strings, with VerifiableCredential among them"
    if "id" in document and not is_absolute_iri(document["id"]):
        yield "$.id: must be a single URL"
    issuer = document.get("issuer")
    if not is_absolute_iri(issuer.get("id") if isinstance(issuer, dict) else issuer):
        yield "$.issuer: must be a URL, or an object with an id that is one"
    subjects = many(document.get("credentialSubject"))
    if not subjects or not all(isinstance(subject, dict) and subject for subject in subjects):
        yield "$.credentialSubject: must be there, and objects that say something"
    if not _is_moment(document.get("issuanceDate")):
        yield "$.issuanceDate: must be a date and time with a time zone"
    if "expirationDate" in document and not _is_moment(document["expirationDate"]):
        yield "$.expirationDate: must be a date and time with a time zone"
    for member in _TYPED:
        for entry in many(document.get(member)):
            if not isinstance(entry, dict) or not entry.get("type"):
                yield f"$.{member}: must be an object with a type"


def _is_moment(value: JsonValue) -> bool:
    return isinstance(value, str) and datetimes.parse(value) is not None
