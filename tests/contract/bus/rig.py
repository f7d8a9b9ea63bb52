"""The rig of the conformance suite: a producer, a consumer's schema, and members that note what they did.

Every effect is one row without any unique key, so that a record that takes effect twice is seen.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from shared.bus import dead_letters
from shared.bus.consumer import Consumer, Prepare, Subscription
from shared.bus.seam import Bus, Source
from shared.clock import ordered_uuid
from shared.contracts.assessments import AssessmentFailed, AssessmentPassed, AssessmentSubmitted
from shared.contracts.event import Event
from shared.database import Database
from shared.eventstore import Append, Meta, Recorded, Session

CONSUMER = "issuer.rehearse"
TENANT = "acme"
WAIT_S = 40.0
LOOK_EVERY_S = 0.01
NOBODY = "00000000-0000-0000-0000-000000000000"
META = Meta("operator:cli", "rehearsal")

TELL_BYTES = """
INSERT INTO event (issuer_id, stream, version, type, data, meta, id, at)
VALUES ($1, $2, 1, $3, $4, '{"actor": "operator:cli", "correlation": "-"}', $5, now())
"""
EFFECT = "INSERT INTO effect (member, key, number, event_id) VALUES ($1, $2, $3, $4)"

Spoil = Callable[[Recorded], None]


def harmless(_: Recorded) -> None:
    """Let every record pass."""


def number(recorded: Recorded) -> int:
    """Return the number that `tell` gave to the event."""
    event = recorded.event
    assert isinstance(event, AssessmentPassed)
    return int(event.sealed)


async def write_effects(session: Session, member: str, batch: Sequence[Recorded]) -> None:
    """Do what the rehearsed handler does: one row for each record."""
    await session.connection.executemany(
        EFFECT, [(member, recorded.key, number(recorded), recorded.id) for recorded in batch]
    )


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until `condition` holds; fail after WAIT_S."""
    deadline = time.monotonic() + WAIT_S
    while not await condition():
        assert time.monotonic() < deadline, "what was waited for did not come about"
        await asyncio.sleep(LOOK_EVERY_S)


class Rig:
    """One producer (`assessor`), one consumer's schema (`issuer`) and the bus between them."""

    def __init__(self, producer: Database, own: Database, bus: Bus) -> None:
        self.producer = producer
        self.own = own
        self.bus = bus
        self.relay = bus.relay("assessor", producer)
        self._versions: dict[str, int] = {}
        self._told = 0

    async def prepare(self) -> None:
        """Make the table of effects."""
        async with self.own.connection() as connection:
            await connection.execute(
                "CREATE TABLE effect (at bigserial, member text, key text, number int, event_id uuid)"
            )

    @asynccontextmanager
    async def carrying(self) -> AsyncIterator[None]:
        """Bring the producer's log onto the bus, where the bus does not read it by itself."""
        stopping = asyncio.Event()
        working = None if self.relay is None else asyncio.create_task(self.relay.run(stopping))
        yield
        stopping.set()
        if working is not None:
            await working

    async def carried(self) -> None:
        """Wait until the bus has everything that was told."""
        relay = self.relay

        async def nothing_pends() -> bool:
            return relay is None or await relay.pending() == 0

        await until(nothing_pends)

    async def tell(self, *assessments: str, kind: type[Event] = AssessmentPassed) -> list[Recorded]:
        """Append one event for each name, in one transaction; `number` counts them from 1."""
        async with self.producer.session() as session:
            appends = []
            for assessment in assessments:
                self._told += 1
                version = self._versions.get(assessment, 0)
                self._versions[assessment] = version + 1
                event = kind(
                    assessment_id=assessment,
                    learner_id=NOBODY,
                    achievement_id=NOBODY,
                    achievement_version=1,
                    assessed_at=session.at,
                    sealed=str(self._told),
                    attempt=1,  # this and the rest for `tell_kept`; whoever does not know it drops it
                    content_hmac="-",
                    submitted_at=session.at,
                )
                appends.append(Append(TENANT, event.stream, version, (event,), META))
            told = await session.append(appends)
        await self.carried()
        return told

    async def tell_failed(self, *assessments: str) -> list[Recorded]:
        """Append events of a type that the rehearsed consumer does not want."""
        return await self.tell(*assessments, kind=AssessmentFailed)

    async def tell_kept(self, *assessments: str) -> list[Recorded]:
        """Append events of a type that is on no bus."""
        return await self.tell(*assessments, kind=AssessmentSubmitted)

    async def tell_bytes(self, assessment: str, data: bytes, claims: str = AssessmentPassed.TYPE) -> None:
        """Append bytes that claim to be of a type."""
        self._versions[assessment] = 1
        async with self.producer.session() as session:
            await session.connection.execute(
                TELL_BYTES, TENANT, f"assessment-{assessment}", claims, data, ordered_uuid()
            )
        await self.carried()

    def member(
        self,
        name: str = "a",
        *,
        spoil: Spoil = harmless,
        after: Callable[[], None] = lambda: None,
        prepare: Prepare | None = None,
        batch_records_max: int = 500,
        source_of: Callable[[Source], Source] = lambda source: source,
        hears: tuple[type[Event], ...] = (AssessmentPassed,),
    ) -> Consumer:
        """Return a member of the rehearsed consumer.

        `spoil` may raise what the handler shall; `after` is called in the transaction, after its effects.
        """

        async def handle(batch: Sequence[Recorded], session: Session, _: Any) -> None:
            for recorded in batch:
                spoil(recorded)
            await write_effects(session, name, batch)
            after()

        subscription = Subscription(CONSUMER, (AssessmentPassed,), handle, prepare, batch_records_max)
        return Consumer(subscription, source_of(self.bus.source(CONSUMER, hears, self.own)), self.own)

    @asynccontextmanager
    async def running(self, *members: Consumer) -> AsyncIterator[list[asyncio.Task[None]]]:
        """Run members until the block ends; what a member raised is for the test to look at."""
        tasks = [asyncio.create_task(member.run()) for member in members]
        try:
            yield tasks
        finally:
            for member in members:
                member.stop()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def effects(self) -> list[tuple[str, int]]:
        """Return (key, number) of every effect, by number; those of a key must have happened in this order.

        Between keys a bus may have any order.
        """
        async with self.own.connection() as connection:
            rows = await connection.fetch("SELECT key, number FROM effect ORDER BY at")
        last: dict[str, int] = {}
        for row in rows:
            assert row["number"] >= last.get(row["key"], 0), f"{row['key']}: out of order"
            last[row["key"]] = row["number"]
        happened = [(row["key"].removeprefix(f"{TENANT}/assessment-"), row["number"]) for row in rows]
        return sorted(happened, key=lambda effect: effect[1])

    async def numbers(self) -> list[int]:
        """Return the numbers of the effects, sorted; those of a key must have happened in this order."""
        return [found for _, found in await self.effects()]

    async def members(self) -> set[str]:
        """Return which members had an effect."""
        async with self.own.connection() as connection:
            return {row["member"] for row in await connection.fetch("SELECT DISTINCT member FROM effect")}

    async def has_effects(self, count: int) -> None:
        """Wait for `count` effects."""

        async def enough() -> bool:
            return len(await self.effects()) >= count

        await until(enough)

    async def caught_up(self, member: Consumer) -> None:
        """Wait until nothing waits for the consumer."""

        async def nothing_waits() -> bool:
            return await member.lag() == 0

        await until(nothing_waits)

    async def letters(self) -> list[tuple[str, str]]:
        """Return (key, state) of every open dead letter, by key, those of a key in their order."""
        async with self.own.connection() as connection:
            found = await dead_letters.open_letters(connection, CONSUMER)
        found.sort(key=lambda letter: (letter.key, letter.offset))
        return [(letter.key.removeprefix(f"{TENANT}/assessment-"), letter.state) for letter in found]

    async def has_letters(self, count: int) -> None:
        """Wait for `count` open dead letters."""

        async def enough() -> bool:
            return len(await self.letters()) == count

        await until(enough)

    async def ask_requeue(self, assessment: str) -> int:
        """Ask for the records of an assessment to be replayed, as an operator does."""
        async with self.own.connection() as connection:
            return await dead_letters.ask_requeue(connection, CONSUMER, f"{TENANT}/assessment-{assessment}")
