"""What examining a credential brings to light, before anyone asks what time it is.

Facts are gathered by examine.py from the credential's bytes, its issuer's keys and its status lists, and are
judged by domain.py. They hold no document: a value of the credential enters a sentence nowhere. The only
words of an issuer's that pass through are its messages about a status, which stand apart in the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    """What became of one check."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a check does not pass: FAILED where it never will, UNKNOWN where this verifier cannot tell.

    `code` is the standards' own name of the error where they give one, `sentence` is for people.
    """

    outcome: Outcome
    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A verification method as the document of its controller describes it (Controlled Identifiers 1.0 §2.2).

    `asserts` and `authenticates` tell whether that document lists it under assertionMethod (for credentials)
    or authentication (for presentations). Nothing signed before `valid_from` counts, nor what was signed from
    `signs_until` on, when the key was retired or, if `compromised`, in other hands; and from `ends_at` on
    (expired or revoked) nothing at all.
    """

    controller: str
    asserts: bool = True
    valid_from: datetime | None = None
    ends_at: datetime | None = None
    authenticates: bool = False
    signs_until: datetime | None = None
    compromised: bool = False


@dataclass(frozen=True, slots=True)
class ProofFacts:
    """One proof. `signature` is None where the signature holds under `key`; without a key it never does."""

    verification_method: str
    created: datetime | None
    expires: datetime | None
    key: KeyFacts | None
    signature: Objection | None


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """A signed document: the credential itself, or the list credential that tells its status.

    `unreadable` and `contexts` are None where nothing speaks against it; `proofs` is one Objection where no
    proof could be read. Without an `issuer` nothing else of the document is known. A presentation is
    `presented` by its holder, who stands for its issuer and whose key has to be one for authentication.
    """

    unreadable: Objection | None = None
    contexts: Objection | None = None
    proofs: tuple[ProofFacts, ...] | Objection = ()
    issuer: str = ""
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    presented: bool = False


@dataclass(frozen=True, slots=True)
class ListFacts:
    """A status list as it was found: who it says it is, and the credential's value in it (a bit, mostly).

    `id` is the address that it gives itself. One that gives none (Bitstring Status List 1.0 §2.2 does not
    demand it) has the address that it was fetched from, and none where it was handed over as a file: an
    issuer may have several, and nothing would tell whether this is the one that the credential names.

    `value` is an Objection where the list cannot be decoded, is too short, or ends before it.
    """

    document: DocumentFacts
    id: str | None
    purposes: tuple[str, ...]
    value: int | Objection


@dataclass(frozen=True, slots=True)
class StatusFacts:
    """One status entry of a credential; `found` is an Objection where its list could not be had.

    `messages` are the issuer's words for the values, where it gives any.
    """

    purpose: str
    list_url: str
    found: ListFacts | Objection
    messages: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recognition:
    """One statement of the registry about an issuer: under which name, since when, and by whose word."""

    name: str
    since: datetime
    source: str


@dataclass(frozen=True, slots=True)
class Registry:
    """What the verifier's registry of issuers says; no recognition for a stranger."""

    recognitions: tuple[Recognition, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """All that there is to know about a credential.

    `status` holds one item an entry, an Objection where the entry itself cannot be used. `registry` is None
    where there was no registry to ask.
    """

    document: DocumentFacts
    status: tuple[StatusFacts | Objection, ...] = ()
    registry: Registry | None = None
