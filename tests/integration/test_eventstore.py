"""The log: optimistic versions, one query a load, positions in order, nothing that was written changes."""

from __future__ import annotations

from uuid import UUID, uuid4

import asyncpg
import pytest

from shared.clock import ordered_uuid
from shared.contracts.issuers import ApiKeyRevoked
from shared.contracts.learners import LearnerErased
from shared.database import Database
from shared.errors import StaleStream
from shared.eventstore import Append, Meta, Recorded, Session, log
from shared.eventstore.log import read_after

EVERYTHING = 1_000
META = Meta("api-key:abcdefgh", "c-1", UUID(int=7), "00-trace")


def facts(session: Session, number: int = 1) -> tuple[LearnerErased, ...]:
    return tuple(LearnerErased(learner_id=str(uuid4()), erased_at=session.at) for _ in range(number))


async def added(
    database: Database, stream: str, expected_version: int, number: int = 1, tenant: str = "acme"
) -> list[Recorded]:
    async with database.session() as session:
        return await session.append([Append(tenant, stream, expected_version, facts(session, number), META)])


async def whole_log(database: Database) -> list[Recorded]:
    async with database.connection() as connection:
        return await read_after(connection, 0, EVERYTHING)


async def test_what_is_appended_is_read_back_the_same(assessor: Database) -> None:
    recorded = await added(assessor, "learner-1", 0, 3)
    assert await whole_log(assessor) == recorded
    assert [event.version for event in recorded] == [1, 2, 3]
    assert [event.position for event in recorded] == sorted(event.position for event in recorded)
    assert {event.meta for event in recorded} == {META}


async def test_many_streams_in_one_append_keep_the_order_in_which_they_were_given(
    assessor: Database,
) -> None:
    async with assessor.session() as session:
        recorded = await session.append(
            [
                Append("acme", f"learner-{number % 7}-{number}", 0, facts(session, 2), META)
                for number in range(250)
            ]
        )
    read = await whole_log(assessor)
    assert [(event.position, event.id, event.stream, event.version) for event in read] == [
        (event.position, event.id, event.stream, event.version) for event in recorded
    ]


async def test_an_append_behind_another_is_stale_and_leaves_nothing(assessor: Database) -> None:
    await added(assessor, "learner-1", 0)
    with pytest.raises(StaleStream):
        await added(assessor, "learner-1", 0)
    assert len(await whole_log(assessor)) == 1
    await added(assessor, "learner-1", 1)


async def test_one_stale_stream_takes_the_whole_transaction_with_it(assessor: Database) -> None:
    await added(assessor, "learner-1", 0)

    async def both() -> None:
        async with assessor.session() as session:
            await session.claim("reader", [UUID(int=1)])
            await session.append(
                [
                    Append("acme", "learner-2", 0, facts(session), META),
                    Append("acme", "learner-1", 0, facts(session), META),
                ]
            )

    with pytest.raises(StaleStream):
        await both()
    async with assessor.session() as session:
        assert await session.load([("acme", "learner-2")]) == {("acme", "learner-2"): []}
        assert await session.claim("reader", [UUID(int=1)]) == {UUID(int=1)}


async def test_an_error_behind_an_append_leaves_nothing(assessor: Database) -> None:
    async def fail() -> None:
        async with assessor.session() as session:
            await session.append([Append("acme", "learner-1", 0, facts(session), META)])
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await whole_log(assessor) == []


async def test_an_append_of_nothing_is_nothing(assessor: Database) -> None:
    async with assessor.session() as session:
        assert await session.append([]) == []
        assert await session.append([Append("acme", "learner-1", 0, (), META)]) == []


async def test_load_gives_each_stream_its_own_history_in_one_statement(assessor: Database) -> None:
    for number in range(20):
        await added(assessor, f"learner-{number}", 0, number % 3 + 1)
    wanted = [("acme", f"learner-{number}") for number in range(25)]
    async with assessor.session() as session:
        statements: list[str] = []
        with session.connection.query_logger(lambda query: statements.append(query.query)):
            history = await session.load(wanted + wanted)
    assert [statement for statement in statements if "FROM" in statement] == [log.LOAD]
    assert list(history) == sorted(wanted)
    lengths = {stream: [event.version for event in events] for (_, stream), events in history.items()}
    assert lengths == {
        f"learner-{number}": list(range(1, number % 3 + 2)) if number < 20 else [] for number in range(25)
    }


async def test_tenants_with_equal_streams_neither_block_nor_see_each_other(assessor: Database) -> None:
    await added(assessor, "learner-1", 0, tenant="acme")
    await added(assessor, "learner-1", 0, 2, tenant="other")
    async with assessor.session() as session:
        history = await session.load([("acme", "learner-1"), ("third", "learner-1")])
    assert {key: len(events) for key, events in history.items()} == {
        ("acme", "learner-1"): 1,
        ("third", "learner-1"): 0,
    }
    assert {event.key for event in await whole_log(assessor)} == {"acme/learner-1", "other/learner-1"}


async def test_read_after_goes_on_from_a_position_in_pages_and_by_type(assessor: Database) -> None:
    recorded = await added(assessor, "learner-1", 0, 5)
    async with assessor.session() as session:
        revoked = ApiKeyRevoked(prefix="abcdefgh", revoked_at=session.at)
        [other] = await session.append([Append("acme", revoked.stream, 0, (revoked,), META)])
    async with assessor.connection() as connection:
        page = await read_after(connection, recorded[0].position, 2)
        assert page == recorded[1:3]
        assert await read_after(connection, page[-1].position, EVERYTHING) == [*recorded[3:], other]
        assert await read_after(connection, 0, EVERYTHING, ["api-key.revoked.v1"]) == [other]
        assert await read_after(connection, other.position, EVERYTHING) == []


@pytest.mark.parametrize(
    "change",
    ["UPDATE event SET data = ''", "DELETE FROM event", "TRUNCATE event", "DELETE FROM event WHERE false"],
)
async def test_nothing_that_was_written_can_be_changed(assessor: Database, change: str) -> None:
    recorded = await added(assessor, "learner-1", 0)
    async with assessor.connection() as connection:
        with pytest.raises(asyncpg.RaiseError, match="events are immutable"):
            await connection.execute(change)
    assert await whole_log(assessor) == recorded


async def test_an_event_id_is_claimed_once_by_each_consumer(assessor: Database) -> None:
    ids = [ordered_uuid() for _ in range(5)]
    async with assessor.session() as session:
        assert await session.claim("reader", ids[:3]) == set(ids[:3])
        assert await session.claim("reader", ids) == set(ids[3:])
        assert await session.claim("other", ids) == set(ids)
        assert await session.claim("reader", []) == set()
        assert await session.claimed("reader", [*ids, UUID(int=1)]) == set(ids)
        assert await session.claimed("nobody", ids) == set()
