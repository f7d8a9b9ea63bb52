"""Strikes beside one named commit: before it or after it, in the n-th transaction of one lane.

A lane is a consumer's name. What claims nothing, HTTP requests and the courier, is named here by what it
appends. The program under test has no such switch: this wraps the one function that opens transactions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import UUID

from shared.contracts.assessments import AssessmentSubmitted
from shared.contracts.credentials import CredentialRevoked
from shared.contracts.event import Event
from shared.contracts.notifications import NotificationSent
from shared.contracts.posted import (
    PostedCredentialForgotten,
    PostedCredentialIssued,
    PostedCredentialRevoked,
)
from shared.database import Database
from shared.eventstore import Append, Recorded, Session

UNCLAIMED: dict[type[Event], str] = {
    AssessmentSubmitted: "assessor.submit",
    CredentialRevoked: "issuer.revoke",
    PostedCredentialIssued: "issuer.post",
    PostedCredentialRevoked: "issuer.revoke_posted",
    PostedCredentialForgotten: "issuer.forget_posted",
    NotificationSent: "notifier.courier",
}

OpenSession = Callable[[Database], AbstractAsyncContextManager[Session]]


class Doom:
    """Counts the transactions of one lane and calls `strike` beside the chosen one, once."""

    def __init__(self, lane: str, side: str, number: int, strike: Callable[[], None]) -> None:
        """`side` is `before` or `after` the commit; `number` counts from 1."""
        self._lane = lane
        self._side = side
        self._left = number
        self._strike = strike

    @property
    def struck(self) -> bool:
        return self._left <= 0

    def upon(self, real_session: OpenSession) -> OpenSession:
        """Return `Database.session` with doom upon it: each session remembers which lane works in it."""

        @asynccontextmanager
        async def session(database: Database) -> AsyncIterator[Session]:
            watched: list[str] = []
            async with real_session(database) as inner:
                _watch(inner, watched)
                yield inner
                self._pass("before", watched)
            self._pass("after", watched)

        return session

    def _pass(self, side: str, lanes: list[str]) -> None:
        """Strike if this is the moment."""
        if side != self._side or self._lane not in lanes:
            return
        self._left -= 1
        if self._left == 0:
            self._strike()


def _watch(session: Session, watched: list[str]) -> None:
    claim, append = session.claim, session.append

    async def claim_and_tell(consumer: str, ids: Iterable[UUID]) -> set[UUID]:
        watched.append(consumer)
        return await claim(consumer, ids)

    async def append_and_tell(appends: Iterable[Append]) -> list[Recorded]:
        wanted = list(appends)
        if not watched:
            kinds = {type(event) for each in wanted for event in each.events}
            watched.extend(UNCLAIMED[kind] for kind in kinds & UNCLAIMED.keys())
        return await append(wanted)

    session.claim = claim_and_tell  # type: ignore[method-assign]
    session.append = append_and_tell  # type: ignore[method-assign, assignment]
