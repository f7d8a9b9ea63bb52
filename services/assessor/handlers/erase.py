"""erase: forgets a learner. The mapping, the key and the attempts go, and learner.erased tells the world.

All of it in one transaction. The learner's row is deleted first: whoever hands in an attempt of this learner
holds that row, so erasure waits for them, and whoever comes after finds nobody and maps somebody new.
"""

from __future__ import annotations

import structlog
from prometheus_client import Counter

from services.assessor import domain, projections, store
from shared.contracts.learners import LearnerErased
from shared.database import Database
from shared.errors import StaleStream, Unavailable
from shared.eventstore import Append, Meta
from shared.vault import LearnerKeyOwner

STALE_TRIES_MAX = 3

ERASURES = Counter("microcred_assessor_erasures_total", "Learners forgotten")

logger = structlog.get_logger(__name__)


class Erase:
    """Forgets learners, one at a time."""

    def __init__(self, database: Database, keys: LearnerKeyOwner) -> None:
        self._database = database
        self._keys = keys

    async def erase(self, issuer_id: str, learner_id: str, meta: Meta) -> None:
        """Forget a learner; a second time changes nothing.

        Raises NotFound('learner-unknown') for an id that never was a learner of the tenant, and Unavailable.
        """
        for _ in range(STALE_TRIES_MAX):
            try:
                return await self._erase(issuer_id, learner_id, meta)
            except StaleStream:
                continue
        raise Unavailable("Others write about this learner; send again.")

    async def _erase(self, issuer_id: str, learner_id: str, meta: Meta) -> None:
        stream = f"{LearnerErased.STREAM}-{learner_id}"
        async with self._database.session() as session:
            known = await store.delete_learner(session.connection, issuer_id, learner_id)
            history = await session.load([(issuer_id, stream)])
            key_deleted = await self._keys.delete(session.connection, (issuer_id, learner_id))
            events = domain.decide_erasure(
                learner_id, known=known or key_deleted, erased=bool(history[issuer_id, stream]), at=session.at
            )
            if not events:
                return
            recorded = await session.append([Append(issuer_id, stream, 0, tuple(events), meta)])
            await projections.count_attempts(session.connection, recorded)
        ERASURES.inc()
        logger.info("learner erased", issuer=issuer_id, learner=learner_id)
