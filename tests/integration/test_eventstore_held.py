"""Loading what follows an event that is in hand: the log is asked, its data is not read twice."""

from __future__ import annotations

from uuid import uuid4

from shared.contracts.learners import LearnerErased
from shared.database import Database
from shared.eventstore import Append, Meta, Recorded

META = Meta("operator:cli", "c-1")


async def added(database: Database, stream: str, expected_version: int, number: int) -> list[Recorded]:
    async with database.session() as session:
        events = tuple(LearnerErased(learner_id=str(uuid4()), erased_at=session.at) for _ in range(number))
        return await session.append([Append("acme", stream, expected_version, events, META)])


async def test_a_stream_is_loaded_from_the_held_event_on(assessor: Database) -> None:
    first, second, third = await added(assessor, "learner-1", 0, 3)
    (alone,) = await added(assessor, "learner-2", 0, 1)
    async with assessor.session() as session:
        whole = await session.load([("acme", "learner-1"), ("acme", "learner-2")])
        assert await session.load_from([first, alone]) == whole
        assert await session.load_from([second]) == {("acme", "learner-1"): [second, third]}
        assert (await session.load_from([first]))["acme", "learner-1"][0] is first


async def test_an_event_that_the_log_does_not_hold_has_no_history(assessor: Database) -> None:
    (first,) = await added(assessor, "learner-1", 0, 1)
    strangers = [first._replace(issuer_id="oslo"), first._replace(stream="learner-2")]
    ahead = first._replace(version=2)
    async with assessor.session() as session:
        assert await session.load_from(strangers) == {("oslo", "learner-1"): [], ("acme", "learner-2"): []}
        assert await session.load_from([ahead]) == {("acme", "learner-1"): []}
        assert await session.load_from([]) == {}


async def test_what_is_behind_the_held_event_without_it_is_no_history(assessor: Database) -> None:
    """A held version 0 stands for an event that is not there: the rest does not make up for it."""
    first, _ = await added(assessor, "learner-1", 0, 2)
    async with assessor.session() as session:
        assert await session.load_from([first._replace(version=0)]) == {("acme", "learner-1"): []}
