"""The lanes: a credential was signed or revoked → who is told; a learner was erased → the key is dropped.

Step 11 of docs/ISSUANCE-CYCLE.md. A batch is one transaction with a constant number of statements: the
notification's event, its delivery and the credential's row are there together or not at all. Nothing leaves
the house here; the courier carries what is due.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import reduce
from typing import Any, Final

import structlog
from prometheus_client import Counter

from services.notifier import projections, subscription_store
from services.notifier.domain import (
    UNKNOWN,
    Fact,
    Listener,
    decide_request,
    evolve,
    notifications_of,
)
from shared.bus.consumer import Subscription
from shared.contracts.credentials import CredentialRevoked, CredentialSigned
from shared.contracts.learners import LearnerErased
from shared.contracts.notifications import NotificationRequested
from shared.errors import StaleStream
from shared.eventstore import Append, Meta, Recorded, Session
from shared.eventstore.log import StreamKey
from shared.vault import LearnerKeys, LearnerRef

ANNOUNCE: Final = "notifier.announce"
FORGET: Final = "notifier.forget"

SKIPPED = Counter(
    "microcred_notifications_skipped_total", "Notifications that were not asked for, by reason", ["reason"]
)
logger = structlog.get_logger(__name__)


class Announcements:
    """Asks for a letter to the learner and a webhook to each subscriber, once for each fact."""

    def __init__(self, keys: LearnerKeys) -> None:
        self._keys = keys

    def subscriptions(self) -> tuple[Subscription, ...]:
        """Return the lanes of this file."""
        return (
            Subscription(ANNOUNCE, (CredentialSigned, CredentialRevoked), self.announce, self.prepare),
            Subscription(FORGET, (LearnerErased,), self.forget),
        )

    async def prepare(self, batch: Sequence[Recorded]) -> Mapping[LearnerRef, bytes | None]:
        """Read which learners can still be written to. Raises Unavailable."""
        return await self._keys.of(
            (each.issuer_id, each.event.learner_id)
            for each in batch
            if isinstance(each.event, CredentialSigned | CredentialRevoked)
        )

    async def announce(
        self, batch: Sequence[Recorded], session: Session, prepared: Mapping[LearnerRef, bytes | None]
    ) -> None:
        """Take credential.signed and credential.revoked."""
        facts = await self._tellable(batch, session)
        listeners = await subscription_store.listeners(
            session.connection, (issuer_id for issuer_id, _, _ in facts)
        )
        wanted = _wanted(facts, listeners, prepared, session.at)
        try:
            async with session.attempt():
                requested = await _ask(wanted, {}, session)
        except StaleStream:  # a lane reads history again
            requested = await _ask(wanted, await session.load(place for place, _, _ in wanted), session)
        await projections.keep_credentials(session.connection, batch)
        await projections.open_deliveries(session.connection, requested)

    async def _tellable(self, batch: Sequence[Recorded], session: Session) -> list[tuple[str, Fact, Meta]]:
        """Return the facts of the batch, but for revocations of what was never signed: nobody has those."""
        revoked = [
            (each.issuer_id, each.event.credential_id)
            for each in batch
            if isinstance(each.event, CredentialRevoked)
        ]
        known = await projections.known_credentials(session.connection, revoked)
        facts: list[tuple[str, Fact, Meta]] = []
        for each in batch:
            match each.event:
                case CredentialSigned(credential_id=credential_id, learner_id=learner_id):
                    known.add((each.issuer_id, credential_id))
                    fact = Fact("credential.signed", each.id, credential_id, learner_id, each.at)
                case CredentialRevoked(credential_id=credential_id, learner_id=learner_id):
                    if (each.issuer_id, credential_id) not in known:
                        _skip("never-signed", each)
                        continue
                    fact = Fact("credential.revoked", each.id, credential_id, learner_id, each.at)
                case _:
                    continue
            meta = Meta(f"consumer:{ANNOUNCE}", each.meta.correlation, each.id, each.meta.traceparent)
            facts.append((each.issuer_id, fact, meta))
        return facts

    async def forget(self, batch: Sequence[Recorded], _session: Session, _: Any) -> None:
        """Take learner.erased: letters that are still due find no key from now on, and are given up."""
        for each in batch:
            if isinstance(each.event, LearnerErased):
                self._keys.forget((each.issuer_id, each.event.learner_id))


def _wanted(
    facts: Sequence[tuple[str, Fact, Meta]],
    listeners: Mapping[str, Sequence[Listener]],
    keys: Mapping[LearnerRef, bytes | None],
    at: datetime,
) -> list[tuple[StreamKey, NotificationRequested, Meta]]:
    """Return every notification that the facts call for, with the stream it belongs to."""
    wanted = []
    for issuer_id, fact, meta in facts:
        known = keys.get((issuer_id, fact.learner_id)) is not None
        if not known:
            SKIPPED.labels("learner-erased").inc()
        for request in notifications_of(fact, known, listeners.get(issuer_id, ()), at):
            wanted.append(((issuer_id, request.stream), request, meta))
    return wanted


async def _ask(
    wanted: Sequence[tuple[StreamKey, NotificationRequested, Meta]],
    history: Mapping[StreamKey, Sequence[Recorded]],
    session: Session,
) -> list[Recorded]:
    """Ask for what was not asked for before, as far as `history` tells; StaleStream if it lacks some."""
    states = {
        place: reduce(evolve, (each.event for each in past), UNKNOWN) for place, past in history.items()
    }
    appends = []
    for place, request, meta in wanted:
        state = states.get(place, UNKNOWN)
        events = tuple(decide_request(state, request))
        if events:
            appends.append(Append(*place, len(history.get(place, ())), events, meta))
            states[place] = evolve(state, request)  # a bus may hand out a record twice in a batch
    return await session.append(appends)


def _skip(reason: str, recorded: Recorded) -> None:
    SKIPPED.labels(reason).inc()
    logger.info(
        "not announced",
        correlation=recorded.meta.correlation,
        reason=reason,
        issuer_id=recorded.issuer_id,
        event_id=str(recorded.id),
    )
