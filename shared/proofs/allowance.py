"""What one verification may ask of the canonicalising workers: a little, one document at a time.

Whoever sends a document for verification decides how long it takes, and it may hold many: eight credentials
of eight proofs each, and the status lists that they name. So all of them together have the CPU time that one
document has, never two workers at once, and one turn beside other clients (turns.py). Once a document was
refused for taking too long, whatever else belongs to its verification is refused without being looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from shared.errors import Invalid
from shared.proofs.strictjson import JsonObject
from shared.proofs.workers import JOB_CPU_S, LIMIT, CanonicalWorkers


class Allowance:
    """The share of one verification; `caller` says whose it is, None where there is no client."""

    def __init__(
        self, workers: CanonicalWorkers, caller: str | None = None, cpu_s: float = JOB_CPU_S
    ) -> None:
        self._workers = workers
        self._caller = caller
        self._left_s = cpu_s
        self._one_at_a_time = asyncio.Lock()

    async def hash_proofs(
        self, cryptosuite: str, document: JsonObject, configs: Sequence[JsonObject]
    ) -> list[bytes] | Invalid:
        """The bytes that each proof with these options signs over `document`, or why there are none.

        Raises Unavailable or TooMany as CanonicalWorkers does.
        """
        async with self._one_at_a_time:
            if self._left_s <= 0:
                return Invalid(LIMIT, "It came with a document that takes too long to canonicalise.")
            answer, used_s = await self._workers.hash_proofs(
                cryptosuite, document, configs, self._caller, self._left_s
            )
            exhausted = isinstance(answer, Invalid) and answer.code == LIMIT
            self._left_s = 0.0 if exhausted else self._left_s - used_s
            return answer
