"""What is decided about posted credentials, without I/O: which are taken, signed, ended, forgotten.

A caller says what is in it and we sign it, so what it may not say is settled here: who the issuer is, if not
this tenant; what its status is, which we allocate; and that it stands at an address of this installation,
which only we give.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from shared.contracts.credentials import PinnedContext, PlannedProof, RevocationReason, StatusEntry
from shared.contracts.event import Event
from shared.contracts.posted import (
    PostedCredentialForgotten,
    PostedCredentialIssued,
    PostedCredentialRevoked,
    PostedCredentialSigned,
)
from shared.errors import Invalid

NAME_CHARS_MAX = 2_048
"""Of a credential's id, and of what a caller calls it by instead."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A posted credential's life so far; each step happens once."""

    issued: PostedCredentialIssued
    signed: PostedCredentialSigned | None = None
    revoked: PostedCredentialRevoked | None = None
    forgotten: PostedCredentialForgotten | None = None


def posted_of(events: Iterable[Event]) -> Posted | None:
    """Fold a posted credential's stream; None for an empty one."""
    state: Posted | None = None
    for event in events:
        if isinstance(event, PostedCredentialIssued):
            state = Posted(event)
        elif state is not None and isinstance(event, PostedCredentialSigned):
            state = replace(state, signed=event)
        elif state is not None and isinstance(event, PostedCredentialRevoked):
            state = replace(state, revoked=event)
        elif state is not None and isinstance(event, PostedCredentialForgotten):
            state = replace(state, forgotten=event)
    return state


def name_of(credential: Mapping[str, object], credential_id: str | None, public_url: str) -> str | None:
    """What its caller calls a credential: its `id`, or where it has none the option `credentialId`.

    None where it has neither. Raises Invalid for two names that differ, for one that is empty or too long,
    and for an address of this installation, which it alone gives away.
    """
    names = {name for name in (credential.get("id"), credential_id) if isinstance(name, str)}
    if len(names) > 1:
        raise Invalid(
            "credential-named-twice",
            "The option credentialId is for a credential without an id; this one has another id.",
        )
    name = next(iter(names), None)
    if name is not None and not 0 < len(name) <= NAME_CHARS_MAX:
        raise Invalid("credential-name", f"A credential's name has 1 to {NAME_CHARS_MAX} characters.")
    if name is not None and name.startswith(f"{public_url}/"):
        raise Invalid("credential-name", "Addresses of this installation are given by it alone.")
    return name


def demand_postable(credential: Mapping[str, object], did: str) -> None:
    """Raise Invalid for what may not be posted, whatever else it is: as `credential-refused`, with reasons,
    or as `issuer-foreign` for a credential that names another issuer than the one whose identifier is `did`.
    """
    if reasons := tuple(_objections(credential)):
        raise Invalid("credential-refused", "This credential cannot be issued here.", reasons)
    if "issuer" in credential and _id_of(credential["issuer"]) != did:
        raise Invalid("issuer-foreign", "The credential names another issuer than the one of the API key.")


def _objections(credential: Mapping[str, object]) -> Iterator[str]:
    if "proof" in credential:
        yield "$.proof: the credential bears a proof; it is signed here once, by its issuer alone"
    if "credentialStatus" in credential:
        yield "$.credentialStatus: the place in a status list is given here"


def _id_of(issuer: object) -> object:
    return issuer.get("id") if isinstance(issuer, dict) else issuer


def decide_issue_posted(
    credential_id: str,
    *,
    contexts: tuple[PinnedContext, ...],
    proofs: tuple[PlannedProof, ...],
    key_id: str,
    status: StatusEntry,
    sealed: str,
    at: datetime,
) -> list[PostedCredentialIssued]:
    """The intent: nothing is left to decide when it is signed."""
    return [
        PostedCredentialIssued(
            credential_id=credential_id,
            contexts=contexts,
            proofs=proofs,
            key_id=key_id,
            status=status,
            created=at,
            sealed=sealed,
        )
    ]


def decide_sign_posted(state: Posted, sealed: str, at: datetime) -> list[PostedCredentialSigned]:
    """Record a signature once; nothing for what is signed, or was withdrawn or forgotten before it was."""
    if state.signed is not None or state.revoked is not None or state.forgotten is not None:
        return []
    issued = state.issued
    return [
        PostedCredentialSigned(
            credential_id=issued.credential_id, key_id=issued.key_id, signed_at=at, sealed=sealed
        )
    ]


def decide_revoke_posted(
    state: Posted, reason: RevocationReason, at: datetime
) -> list[PostedCredentialRevoked]:
    """Withdraw for good; nothing if it was withdrawn before."""
    if state.revoked is not None:
        return []
    return [
        PostedCredentialRevoked(
            credential_id=state.issued.credential_id,
            reason=reason,
            status=state.issued.status,
            revoked_at=at,
        )
    ]


def decide_forget_posted(state: Posted, at: datetime) -> list[PostedCredentialForgotten]:
    """Record that the key is gone; nothing if that is recorded."""
    if state.forgotten is not None:
        return []
    return [PostedCredentialForgotten(credential_id=state.issued.credential_id, forgotten_at=at)]
