"""The structural rules of the VC Data Model 2.0 for a presentation (§4.13).

Every broken rule is one sentence that starts with its place, as in shared/proofs/vcdm.py. What the
credentials within are like is asked of each of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared.proofs.contexts import CREDENTIALS_V2
from shared.proofs.jsonld_safety import is_absolute_iri
from shared.proofs.several import many
from shared.proofs.strictjson import JsonObject, JsonValue

PRESENTATION = "VerifiablePresentation"
ENVELOPED = "EnvelopedVerifiableCredential"
CREDENTIALS_MAX = 8


def is_presentation(value: JsonValue) -> bool:
    """Whether `value` calls itself a presentation."""
    return isinstance(value, dict) and PRESENTATION in many(value.get("type"))


def problems(value: JsonValue) -> list[str]:
    """One sentence per broken rule; empty for a well-formed presentation."""
    return list(_problems(value)) if isinstance(value, dict) else ["$: a presentation is a JSON object"]


def holder_of(presentation: JsonObject) -> str:
    """The identifier of the holder; empty if the presentation names none."""
    holder = presentation.get("holder")
    identifier = holder.get("id") if isinstance(holder, dict) else holder
    return identifier if isinstance(identifier, str) else ""


def enveloped_alone(presentation: JsonObject) -> bool:
    """Whether every credential within is an envelope: a token holds no others (VC-JOSE-COSE 1.0 §3.1.2)."""
    return all(
        isinstance(credential, dict) and ENVELOPED in many(credential.get("type"))
        for credential in credentials_of(presentation)
    )


def credentials_of(presentation: JsonObject) -> list[JsonValue]:
    """The credentials within, as they are."""
    return many(presentation.get("verifiableCredential"))


def _problems(presentation: JsonObject) -> Iterator[str]:
    context = presentation.get("@context")
    if not isinstance(context, list) or not context or context[0] != CREDENTIALS_V2:
        yield f"$.@context: must be an array that starts with {CREDENTIALS_V2}"
    if "id" in presentation and not is_absolute_iri(presentation["id"]):
        yield "$.id: must be a single URL"
    if not all(isinstance(name, str) for name in many(presentation.get("type"))):
        yield "$.type: must be strings"
    if "holder" in presentation and not is_absolute_iri(holder_of(presentation)):
        yield "$.holder: must be a URL, or an object with an id that is a URL"
    credentials = credentials_of(presentation)
    if len(credentials) > CREDENTIALS_MAX:
        yield f"$.verifiableCredential: must not be more than {CREDENTIALS_MAX}"
    if not all(isinstance(credential, dict) for credential in credentials):
        yield "$.verifiableCredential: must be objects"
