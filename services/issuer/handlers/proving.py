"""From linted documents to signatures: hash in the workers, sign here, verify with the published key.

Verification uses the public key that the world reads, not the signer's own: a signer that holds another
key than was published must never get a signature out of this house.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.issuer import store
from services.issuer.store import KeyRef
from shared.errors import Invalid, Unavailable
from shared.eventstore.log import Connection
from shared.keys import EnvelopeSigner, Signer
from shared.proofs import dataintegrity
from shared.proofs.strictjson import JsonObject
from shared.proofs.suites import Suite
from shared.sealing import MasterKey

SIGNERS_CACHED_MAX = 1_000

Hash = Callable[[str, Sequence[tuple[JsonObject, JsonObject]]], Awaitable[list[bytes | Invalid]]]
"""What turns (document, proof options) of a cryptosuite into 64 bytes each: CanonicalWorkers.hash_data."""


class SelfVerificationError(Exception):
    """A signature that was made a moment ago does not verify with the published key. Never let it out."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A document to be proved: one proof for each of `configs`, by the key `key`, published as 32 bytes."""

    document: JsonObject
    configs: Sequence[JsonObject]
    key: KeyRef
    public_key: bytes


class SigningKeys:
    """Signers by (issuer_id, key_id), opened once and kept in this process alone."""

    def __init__(self, master_key: MasterKey) -> None:
        self._master_key = master_key
        self._cache: dict[KeyRef, Signer] = {}

    async def of(self, connection: Connection, keys: Iterable[KeyRef]) -> dict[KeyRef, Signer]:
        """Return the signer of each key. Raises Unavailable while one is not there or does not open."""
        wanted = set(keys)
        if missing := wanted - self._cache.keys():
            if len(self._cache) + len(missing) > SIGNERS_CACHED_MAX:
                self._cache.clear()
                missing = wanted
            for key, envelope in (await store.envelopes(connection, missing)).items():
                self._cache[key] = self._open(envelope, key[1])
        if not wanted <= self._cache.keys():
            raise Unavailable("A signing key is not available.")
        return {key: self._cache[key] for key in wanted}

    def _open(self, envelope: bytes, key_id: str) -> Signer:
        try:
            return EnvelopeSigner.open(self._master_key, envelope, key_id)
        except Invalid as cause:
            # The installation's fault and no record's: nothing may be buried for it.
            raise Unavailable("The master key does not open a signing key.") from cause


async def prove(
    hash_data: Hash, signers: Mapping[KeyRef, Signer], drafts: Sequence[Draft]
) -> list[list[bytes]]:
    """Return the signatures (64 bytes) of each draft, in the order of its `configs`.

    Nothing is signed unless every draft could be hashed. Raises the first refusal (Invalid), Unavailable,
    or SelfVerificationError.
    """
    hashes = await _hash(hash_data, drafts)
    answers = []
    for draft, messages in zip(drafts, hashes, strict=True):
        signatures = signers[draft.key].sign(messages)
        for message, signature in zip(messages, signatures, strict=True):
            if not dataintegrity.check_signature(draft.public_key, message, signature):
                raise SelfVerificationError("a new signature does not verify with the published key")
        answers.append(signatures)
    return answers


async def _hash(hash_data: Hash, drafts: Sequence[Draft]) -> list[list[bytes]]:
    places: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for number, draft in enumerate(drafts):
        for position, config in enumerate(draft.configs):
            places[str(config["cryptosuite"])].append((number, position))
    hashes = [[b""] * len(draft.configs) for draft in drafts]
    for cryptosuite, of_suite in places.items():
        pairs = [(drafts[number].document, drafts[number].configs[position]) for number, position in of_suite]
        answers = await hash_data(cryptosuite, pairs)
        for (number, position), answer in zip(of_suite, answers, strict=True):
            if isinstance(answer, Invalid):
                raise answer
            hashes[number][position] = answer
    return hashes


def hash_here(suites: Mapping[str, Suite]) -> Hash:
    """Return a Hash without workers: for an operator's command, which hashes our own few documents."""

    async def hash_data(
        cryptosuite: str, pairs: Sequence[tuple[JsonObject, JsonObject]]
    ) -> list[bytes | Invalid]:
        return [suites[cryptosuite].hash_data(document, config) for document, config in pairs]

    return hash_data
