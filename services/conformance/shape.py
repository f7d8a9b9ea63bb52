"""What the suites send beside what the product takes: a context of their own, and 1.1 without its proof's."""

from __future__ import annotations

import hashlib
from importlib import resources

from shared.proofs.contexts import CREDENTIALS_V1, PINNED
from shared.proofs.strictjson import JsonObject

DATA_INTEGRITY_V2 = "https://w3id.org/security/data-integrity/v2"
EXAMPLES_V2 = "https://www.w3.org/ns/credentials/examples/v2"
EXAMPLES_SHA256 = "57393fbc69d6efb9b9b5dc9cb6b9880b0944360abfe2eaf459c9e58cf2279d7c"


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
    if not isinstance(context, list) or context[:1] != [CREDENTIALS_V1] or DATA_INTEGRITY_V2 in context:
        return document
    return {**document, "@context": [*context, DATA_INTEGRITY_V2]}
