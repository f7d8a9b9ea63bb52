"""From linted documents to signatures: hash in the workers, sign here, verify with the published key.

Verification uses the public key that the world reads, not the signer's own: a signer that holds another
key than was published must never get a signature out of this house.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeVar

from services.issuer import store
from services.issuer.forms import Forms, chosen_forms
from services.issuer.key_rules import demand_signable
from services.issuer.settings import IssuerSettings
from services.issuer.store import KeyRef
from shared.errors import Invalid, Unavailable
from shared.eventstore.log import Connection
from shared.keys import Signer
from shared.proofs import multikey
from shared.proofs.public_keys import PublicKey
from shared.proofs.safe_mode import Hash
from shared.proofs.strictjson import JsonObject
from shared.proofs.suites import Suite

Apart = TypeVar("Apart")


@dataclass(frozen=True, slots=True)
class Prover:
    """The cryptosuites by name, and what hashes for them."""

    suites: Mapping[str, Suite]
    hash_data: Hash


class SelfVerificationError(Exception):
    """A signature that was made a moment ago does not verify with the published key. Never let it out."""


class Draft(NamedTuple):
    """A document to be proved: one proof for each of `configs`, by the key that it names.

    `public_keys` are the published keys, those of `issuer_id` among them.
    """

    document: JsonObject
    configs: Sequence[JsonObject]
    issuer_id: str
    public_keys: Mapping[KeyRef, PublicKey]

    def key(self, position: int) -> KeyRef:
        """The key that makes the proof at a position of `configs`."""
        return self.issuer_id, str(self.configs[position]["verificationMethod"])


async def keys_to_sign_with(
    connection: Connection, wanted: Sequence[tuple[KeyRef, datetime]]
) -> dict[KeyRef, PublicKey]:
    """Return the published keys with which intents of these moments are signed.

    Raises Unavailable where one is not published yet, and Invalid where no verifier would believe one.
    """
    refs = {ref for ref, _ in wanted}
    published = await store.public_keys(connection, refs)
    if refs - published.keys():
        raise Unavailable("A public key is not published yet.")
    for ref, created in wanted:
        demand_signable(published[ref], created)
    return {ref: multikey.key_of_text(key.public_key_multibase) for ref, key in published.items()}


async def prove(
    prover: Prover, signers: Mapping[KeyRef, Signer], drafts: Sequence[Draft]
) -> list[list[bytes]]:
    """Return the signatures (64 bytes) of each draft, in the order of its `configs`.

    Nothing is signed unless every draft could be hashed. Raises the first refusal (Invalid), Unavailable,
    or SelfVerificationError.
    """
    hashes = await _hash(prover, drafts)
    answers = [[b""] * len(draft.configs) for draft in drafts]
    for (key, cryptosuite), places in _places(drafts, Draft.key).items():
        suite = prover.suites[cryptosuite]
        chosen = [hashes[number][position] for number, position in places]
        # In a thread: a hardware module takes its time, and everything else of this process goes on.
        signatures = await asyncio.to_thread(suite.sign, signers[key], chosen)
        for (number, position), signature in zip(places, signatures, strict=True):
            if not suite.check_signature(
                drafts[number].public_keys[key], hashes[number][position], signature
            ):
                raise SelfVerificationError("a new signature does not verify with the published key")
            answers[number][position] = signature
    return answers


async def _hash(prover: Prover, drafts: Sequence[Draft]) -> list[list[bytes]]:
    hashes = [[b""] * len(draft.configs) for draft in drafts]
    for (_, cryptosuite), places in _places(drafts, lambda *_: None).items():
        pairs = [(drafts[number].document, drafts[number].configs[position]) for number, position in places]
        answers = await prover.hash_data(cryptosuite, pairs)
        for (number, position), answer in zip(places, answers, strict=True):
            if isinstance(answer, Invalid):
                raise answer
            hashes[number][position] = answer
    return hashes


def _places(
    drafts: Sequence[Draft], apart: Callable[[Draft, int], Apart]
) -> Mapping[tuple[Apart, str], list[tuple[int, int]]]:
    """(number of the draft, position in its configs) by cryptosuite and by what `apart` tells apart."""
    places: dict[tuple[Apart, str], list[tuple[int, int]]] = defaultdict(list)
    for number, draft in enumerate(drafts):
        for position, config in enumerate(draft.configs):
            places[apart(draft, position), str(config["cryptosuite"])].append((number, position))
    return places


def forms_of(settings: IssuerSettings, suites: Mapping[str, Suite]) -> Forms:
    """The forms that the settings choose among `suites`. Raises Invalid as `chosen_forms` does."""
    kinds = {name: suite.key_kind for name, suite in suites.items()}
    return chosen_forms(settings.cryptosuites, settings.tokens, settings.public_url, kinds)


def proving_here(suites: Mapping[str, Suite]) -> Prover:
    """Return a Prover without workers: for an operator's command, which hashes our own few documents."""

    async def hash_data(
        cryptosuite: str, pairs: Sequence[tuple[JsonObject, JsonObject]]
    ) -> list[bytes | Invalid]:
        return [suites[cryptosuite].hash_data(document, config) for document, config in pairs]

    return Prover(suites, hash_data)
