"""The lane from learner.erased: the key leaves this process at once, not only when its cache runs out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.contracts.learners import LearnerErased
from shared.eventstore import Recorded, Session
from shared.vault import LearnerKeys

LANE = "issuer.forget"
SIGNER_LANE = "issuer.forget_where_signed"
"""Of a signer that is a process of its own, with keys in a memory of its own."""


class Forget:
    """Evicts erased learners' keys."""

    def __init__(self, learner_keys: LearnerKeys) -> None:
        self._learner_keys = learner_keys

    async def handle(self, batch: Sequence[Recorded], session: Session, _: Any) -> None:
        """Nothing of the learner is stored here in clear; what is sealed cannot be opened from now on."""
        for recorded in batch:
            if isinstance(recorded.event, LearnerErased):
                self._learner_keys.forget((recorded.issuer_id, recorded.event.learner_id))
