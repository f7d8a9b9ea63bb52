"""What may be signed: judged on the whole document with its planned proofs, before a private key is touched.

A signature cannot be taken back, so every rule that a verifier holds us to is held here first: the VCDM's
structure, the official Open Badges schema, strict JSON, the pinned contexts, and one object to an id (two
objects of one id would be one node to an RDF signature, and their members could change places under it).
That no term is dropped is found out while hashing (`proving`), also before the key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from services.issuer.documents.signed import document_bytes, with_signatures
from shared.contracts.credentials import PinnedContext
from shared.errors import Invalid
from shared.proofs import contexts, jsonld_safety, openbadge_schema, vcdm
from shared.proofs.multikey import SIGNATURE_BYTES
from shared.proofs.strictjson import DOCUMENT_BYTES_MAX, JsonObject, JsonValue

CREDENTIAL_BYTES_MAX = DOCUMENT_BYTES_MAX
PLACEHOLDER = bytes(SIGNATURE_BYTES)
"""Stands for the signatures to come: the schema judges their shape."""


def lint_badge(document: JsonObject, configs: Sequence[JsonObject]) -> None:
    """Raise Invalid unless `document` with these proofs is an Open Badge 3.0 in strict JSON."""
    shaped = _shaped(document, configs)
    _refuse(shaped, vcdm.problems(shaped) + openbadge_schema.problems(shaped))


def lint_credential(document: JsonObject, configs: Sequence[JsonObject]) -> None:
    """Raise Invalid unless `document` is a verifiable credential of any type in strict JSON."""
    shaped = _shaped(document, configs)
    _refuse(shaped, vcdm.problems(shaped))


def check_contexts(document: JsonObject, pinned: Sequence[PinnedContext]) -> None:
    """Raise Invalid('context-changed') unless the document's contexts are the pinned bytes, in order."""
    ours = [PinnedContext(url=str(url), sha256=contexts.digest(str(url))) for url in _many(document)]
    if ours != list(pinned):
        raise Invalid("context-changed", "The contexts that the intent pins are not those in use now.")


def _shaped(document: JsonObject, configs: Sequence[JsonObject]) -> JsonObject:
    """The document as it will look, once it is sure that every JSON reader would read the same."""
    shaped = with_signatures(document, configs, [PLACEHOLDER] * len(configs))
    jsonld_safety.refuse_unsignable_input(shaped, contexts.PINNED)
    return shaped


def _refuse(shaped: JsonObject, reasons: list[str]) -> None:
    if len(document_bytes(shaped)) > CREDENTIAL_BYTES_MAX:
        reasons.append(f"$: the document is larger than {CREDENTIAL_BYTES_MAX} bytes")
    if _shares_ids(shaped):
        reasons.append("$: two objects have one id")
    if reasons:
        raise Invalid("document-refused", "The document breaks rules of its standards.", tuple(reasons))


def _shares_ids(document: JsonObject) -> bool:
    ids = list(_ids(document))
    return len(set(ids)) < len(ids)


def _ids(value: JsonValue) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(identifier := value.get("id"), str):
            yield identifier
        for child in value.values():
            yield from _ids(child)
    elif isinstance(value, list):
        for child in value:
            yield from _ids(child)


def _many(document: JsonObject) -> list[JsonValue]:
    value = document["@context"]
    return value if isinstance(value, list) else [value]
