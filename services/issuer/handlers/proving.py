"""From linted documents to signatures: hash in the workers, sign here, verify with the published key.

Verification uses the public key that the world reads, not the signer's own: a signer that holds another
key than was published must never get a signature out of this house.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from services.issuer.store import KeyRef
from shared.errors import Invalid
from shared.keys import Signer
from shared.proofs.public_keys import KeyKind, PublicKey
from shared.proofs.strictjson import JsonObject
from shared.proofs.suites import Suite

Apart = TypeVar("Apart")

Hash = Callable[[str, Sequence[tuple[JsonObject, JsonObject]]], Awaitable[list[bytes | Invalid]]]
"""What turns (document, proof options) of a cryptosuite into 64 bytes each: CanonicalWorkers.hash_data."""


@dataclass(frozen=True, slots=True)
class Prover:
    """The cryptosuites by name, and what hashes for them."""

    suites: Mapping[str, Suite]
    hash_data: Hash


class SelfVerificationError(Exception):
    """A signature that was made a moment ago does not verify with the published key. Never let it out."""


class Draft(NamedTuple):
    """A document to be proved: one proof for each of `configs`, by `key`, published as `public_key`."""

    document: JsonObject
    configs: Sequence[JsonObject]
    key: KeyRef
    public_key: PublicKey


async def prove(
    prover: Prover, signers: Mapping[KeyRef, Signer], drafts: Sequence[Draft]
) -> list[list[bytes]]:
    """Return the signatures (64 bytes) of each draft, in the order of its `configs`.

    Nothing is signed unless every draft could be hashed. Raises the first refusal (Invalid), Unavailable,
    or SelfVerificationError.
    """
    hashes = await _hash(prover, drafts)
    answers = [[b""] * len(draft.configs) for draft in drafts]
    for (key, cryptosuite), places in _places(drafts, lambda draft: draft.key).items():
        suite = prover.suites[cryptosuite]
        chosen = [hashes[number][position] for number, position in places]
        # In a thread: a hardware module takes its time, and everything else of this process goes on.
        signatures = await asyncio.to_thread(suite.sign, signers[key], chosen)
        for (number, position), signature in zip(places, signatures, strict=True):
            if not suite.check_signature(drafts[number].public_key, hashes[number][position], signature):
                raise SelfVerificationError("a new signature does not verify with the published key")
            answers[number][position] = signature
    return answers


async def _hash(prover: Prover, drafts: Sequence[Draft]) -> list[list[bytes]]:
    hashes = [[b""] * len(draft.configs) for draft in drafts]
    for (_, cryptosuite), places in _places(drafts, lambda _: None).items():
        pairs = [(drafts[number].document, drafts[number].configs[position]) for number, position in places]
        answers = await prover.hash_data(cryptosuite, pairs)
        for (number, position), answer in zip(places, answers, strict=True):
            if isinstance(answer, Invalid):
                raise answer
            hashes[number][position] = answer
    return hashes


def _places(
    drafts: Sequence[Draft], apart: Callable[[Draft], Apart]
) -> Mapping[tuple[Apart, str], list[tuple[int, int]]]:
    """(number of the draft, position in its configs) by cryptosuite and by what `apart` tells apart."""
    places: dict[tuple[Apart, str], list[tuple[int, int]]] = defaultdict(list)
    for number, draft in enumerate(drafts):
        for position, config in enumerate(draft.configs):
            places[apart(draft), str(config["cryptosuite"])].append((number, position))
    return places


def refuse_unusable_suites(chosen: Sequence[str], suites: Mapping[str, Suite]) -> None:
    """Raise Invalid if CRYPTOSUITES names a suite twice, one that is not there, or one for other keys."""
    if len(set(chosen) & suites.keys()) < len(chosen):
        raise Invalid("cryptosuite-unknown", "CRYPTOSUITES names a suite that is not there, or one twice.")
    if any(suites[name].key_kind is not KeyKind.ED25519 for name in chosen):
        raise Invalid("cryptosuite-key", "CRYPTOSUITES names a suite for keys that issuers do not have.")


def proving_here(suites: Mapping[str, Suite]) -> Prover:
    """Return a Prover without workers: for an operator's command, which hashes our own few documents."""

    async def hash_data(
        cryptosuite: str, pairs: Sequence[tuple[JsonObject, JsonObject]]
    ) -> list[bytes | Invalid]:
        return [suites[cryptosuite].hash_data(document, config) for document, config in pairs]

    return Prover(suites, hash_data)
