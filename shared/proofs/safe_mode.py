"""Safe mode for what no canonicalising suite signs: asked by hashing a document as one of them would.

A token or a JCS proof covers every member of a text and says nothing of what the members mean. So what is
signed or believed in such a form is hashed in a worker too, for the sake of the refusals on the way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from shared.errors import Invalid
from shared.proofs.strictjson import JsonObject
from shared.proofs.suites.eddsa_rdfc_2022 import EddsaRdfc2022

Hash = Callable[[str, Sequence[tuple[JsonObject, JsonObject]]], Awaitable[list[bytes | Invalid]]]
"""What turns (document, proof options) of a cryptosuite into 64 bytes each: CanonicalWorkers.hash_data."""

SUITE: Final = EddsaRdfc2022.cryptosuite
ANY_OPTIONS: Final[JsonObject] = {"type": "DataIntegrityProof"}
"""Stand in for the options of a proof where only the document's own words are asked about."""


async def demand_safe(hash_data: Hash, document: JsonObject) -> None:
    """Raise the Invalid with which canonicalising refuses `document`, if it does."""
    (answer,) = await hash_data(SUITE, [(document, ANY_OPTIONS)])
    if isinstance(answer, Invalid):
        raise answer
