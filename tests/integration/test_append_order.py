"""The append-order experiment: why `append` takes a lock, kept for ever.

A writer takes its position before it commits. A reader that polls `position > last` meanwhile passes the
position by and never sees it: that is shown by hand, one interleaving that loses an event every time, and
with eight writers at once, who commit in the worst order. Then eight writers do their worst through `append`,
and a reader that polls just as plainly loses nothing.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from uuid import uuid4

import asyncpg

from shared.clock import ordered_uuid
from shared.contracts.learners import LearnerErased
from shared.database import Database
from shared.eventstore import Append, Meta, Session
from shared.eventstore.log import read_after
from tests.conftest import Roles

WRITERS = 8
TRANSACTIONS_A_WRITER = 40
ROUNDS_WITHOUT_LOCK = 20
STREAMS = 12
READ_EVENTS_MAX = 50
META = Meta("operator:cli", "experiment")

INSERT_WITHOUT_LOCK = """
INSERT INTO event (issuer_id, stream, version, type, data, meta, id, at)
VALUES ('acme', $1, 1, 'learner.erased.v1', $2, '{"actor": "naive", "correlation": "naive"}', $3, now())
RETURNING position
"""
WAITING_FOR_THE_LOCK = """
SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()
"""


def erased(session: Session) -> LearnerErased:
    return LearnerErased(learner_id=str(uuid4()), erased_at=session.at)


async def insert_without_lock(connection: asyncpg.Connection, stream: str) -> int:
    event = b'{"learner_id": "00000000-0000-0000-0000-000000000000", "erased_at": "2026-01-01T00:00:00Z"}'
    position = await connection.fetchval(INSERT_WITHOUT_LOCK, stream, event, ordered_uuid())
    assert isinstance(position, int)
    return position


async def test_plain_polling_without_the_lock_loses_an_event_for_ever(
    assessor: Database, roles: Roles
) -> None:
    slow = await asyncpg.connect(roles.dsn("assessor"), server_settings={"search_path": "assessor"})
    quick = await asyncpg.connect(roles.dsn("assessor"), server_settings={"search_path": "assessor"})
    try:
        transaction = slow.transaction()
        await transaction.start()
        passed_by = await insert_without_lock(slow, "learner-slow")
        await insert_without_lock(quick, "learner-quick")
        async with assessor.connection() as reader:
            read = await read_after(reader, 0, READ_EVENTS_MAX)
            cursor = read[-1].position
            await transaction.commit()
            later = await read_after(reader, cursor, READ_EVENTS_MAX)
            stored = await reader.fetchval("SELECT count(*) FROM event")
    finally:
        await slow.close()
        await quick.close()
    assert [event.stream for event in read] == ["learner-quick"]
    assert cursor > passed_by
    assert later == []
    assert stored == 2


async def test_eight_writers_without_the_lock_lose_all_but_the_last_position_of_every_round(
    assessor: Database, roles: Roles
) -> None:
    """All have taken their position before anyone commits, and the latest commits first: no luck is in it."""
    search_path = {"search_path": "assessor"}
    writers = [
        await asyncpg.connect(roles.dsn("assessor"), server_settings=search_path) for _ in range(WRITERS)
    ]
    seen: list[int] = []
    try:
        async with assessor.connection() as reader:
            for number in range(ROUNDS_WITHOUT_LOCK):
                open_rounds = [writer.transaction() for writer in writers]
                await asyncio.gather(*(each.start() for each in open_rounds))
                positions = await asyncio.gather(
                    *(insert_without_lock(each, f"learner-{number}-{i}") for i, each in enumerate(writers))
                )
                by_position = dict(zip(positions, open_rounds, strict=True))
                for position in sorted(by_position, reverse=True):
                    await by_position[position].commit()
                    seen += [
                        event.position
                        for event in await read_after(reader, seen[-1] if seen else 0, READ_EVENTS_MAX)
                    ]
            stored = await reader.fetchval("SELECT count(*) FROM event")
    finally:
        for writer in writers:
            await writer.close()
    assert stored == WRITERS * ROUNDS_WITHOUT_LOCK
    assert len(seen) == ROUNDS_WITHOUT_LOCK


async def test_the_lock_makes_a_second_writer_take_its_position_after_the_firsts_commit(
    assessor: Database,
) -> None:
    async def second() -> int:
        async with assessor.session() as session:
            [recorded] = await session.append([Append("acme", "learner-2", 0, (erased(session),), META)])
        return recorded.position

    async with assessor.session() as session:
        [first] = await session.append([Append("acme", "learner-1", 0, (erased(session),), META)])
        task = asyncio.create_task(second())
        async with assessor.connection() as watcher:
            while not await watcher.fetchval(WAITING_FOR_THE_LOCK):  # noqa: ASYNC110 - another server's event
                await asyncio.sleep(0)
            assert await read_after(watcher, 0, READ_EVENTS_MAX) == []
        assert not task.done()
    assert await task > first.position


async def test_eight_writers_lose_nothing_and_keep_every_stream_in_order_for_a_plain_reader(
    assessor: Database,
) -> None:
    dice = random.Random(7)  # noqa: S311 - the same experiment every time
    written: list[int] = []

    async def write(writer: int) -> None:
        for _ in range(TRANSACTIONS_A_WRITER):
            streams = sorted(dice.sample(range(STREAMS), dice.randint(1, 3)))
            keys = [(f"tenant-{writer}", f"learner-{stream}") for stream in streams]
            async with assessor.session() as session:
                # What made ordering by transaction id fail: the id is taken here, long before the position.
                await session.claim(f"writer-{writer}", [ordered_uuid()])
                history = await session.load(keys)
                await session.connection.execute("SELECT pg_sleep($1)", dice.random() * 0.004)
                recorded = await session.append(
                    [Append(*key, len(history[key]), (erased(session),), META) for key in keys]
                )
                await session.connection.execute("SELECT pg_sleep($1)", dice.random() * 0.002)
            written.extend(event.position for event in recorded)

    async def read(writers: asyncio.Future[list[None]]) -> list[tuple[int, str, int]]:
        seen: list[tuple[int, str, int]] = []
        async with assessor.connection() as connection:
            while True:
                last_round = writers.done()
                batch = await read_after(connection, seen[-1][0] if seen else 0, READ_EVENTS_MAX)
                seen += [(event.position, event.key, event.version) for event in batch]
                if last_round and not batch:
                    return seen

    writers = asyncio.gather(*(write(writer) for writer in range(WRITERS)))
    seen = await read(writers)
    await writers
    assert [position for position, _, _ in seen] == sorted(written)
    versions: dict[str, list[int]] = defaultdict(list)
    for _, key, version in seen:
        versions[key].append(version)
    assert all(found == list(range(1, len(found) + 1)) for found in versions.values())
    assert len(written) >= WRITERS * TRANSACTIONS_A_WRITER
