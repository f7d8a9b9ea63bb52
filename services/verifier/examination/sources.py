"""Where an examination gets what is not in the credential: keys, status lists, names of issuers.

The seam between examining (examine.py) and looking up. The running service looks into what it has kept from
events (handlers.py) and then at the servers of strangers (web.py), the command line into the files that it
was given (offline.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from services.verifier.domain.facts import KeyFacts, Objection, Registry
from shared.proofs.public_keys import PublicKey


@dataclass(frozen=True, slots=True)
class Method:
    """A verification method: its full DID URL, its public key, and what is known about it."""

    id: str
    public_key: PublicKey
    facts: KeyFacts


@dataclass(frozen=True, slots=True)
class FoundList:
    """A status list credential as bytes; `digest` (SHA-256) is the name under which it is cached.

    `url` is where it stands, None for a file of which nobody knows.
    """

    data: bytes
    digest: bytes
    url: str | None

    @classmethod
    def of(cls, data: bytes, url: str | None = None) -> FoundList:
        return cls(data, sha256(data).digest(), url)


class Sources(Protocol):
    """What can be asked, for one verification. An Objection says why a thing is not to be had: the answer
    stays open."""

    async def methods(self, did: str, wanted: str) -> Sequence[Method] | Objection:
        """Every verification method that `did` has or had.

        `wanted` is the id of the one that is looked for: whoever keeps copies looks again if it is not among
        them.
        """

    async def status_list(self, url: str) -> FoundList | Objection:
        """The newest list credential that stands at `url`."""

    async def registry(self, did: str) -> Registry | None:
        """What the registry of issuers says about `did`; None if there is no registry here."""
