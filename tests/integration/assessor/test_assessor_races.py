"""Several processes at once: attempts are counted right, locks never meet head-on, batches cost the same.

Each "process" is a Batcher on a pool of its own: what two machines would be to the database.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from services.assessor import store
from services.assessor.api.submission import SubmissionBody
from services.assessor.handlers.known import fetch
from services.assessor.handlers.references import References
from services.assessor.handlers.submission import Answer, Submission
from services.assessor.handlers.submit import Submit
from services.assessor.store import Reference
from shared.batching import Batcher
from shared.bus.consumer import LaneLag
from shared.database import Database
from shared.errors import Conflict, StaleStream
from shared.eventstore import Meta
from shared.vault import LearnerKeyOwner

ALPHA = "alpha-academy"
META = Meta("api-key:race", "race")
LEARNERS = 60
BATCH = 40
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


def submission(body: Any, number: int, learner: int) -> Submission:
    shape = SubmissionBody.model_validate(body(number, learner=body(learner)["learner"]))
    return Submission(shape.command(ALPHA), META)


async def race(world: Any, roles: Any, sides: list[list[Submission]]) -> list[Any]:
    """Hand each side's submissions to a process of its own, all at once; return all answers and errors."""

    async def side(commands: list[Submission]) -> list[Any]:
        async with await Database.open(roles.dsn("assessor"), "assessor") as database:
            key = world.master_key
            submit = Submit(
                database, LearnerKeyOwner(key), References(key), world.settings.public_url, LaneLag()
            )
            async with Batcher[Submission, Answer](submit.flush, BATCH) as batcher:
                asked = (batcher.ask(ALPHA, command) for command in commands)
                return await asyncio.gather(*asked, return_exceptions=True)

    return [answer for answers in await asyncio.gather(*map(side, sides)) for answer in answers]


async def until_waiting(world: Any, waiters: int) -> None:
    """Return once so many sessions of the database wait for a lock."""
    while await world.count(WAITING) < waiters:  # noqa: ASYNC110 - PostgreSQL tells nobody when one waits
        await asyncio.sleep(0.01)


async def lock_in(database: Database, learners: dict[Reference, str]) -> None:
    async with database.session() as session:
        # On a small table the planner would read it whole; what holds must hold for index look-ups too.
        await session.connection.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
        await store.lock_learners(session.connection, learners)


async def add_in(database: Database, learners: dict[Reference, str]) -> None:
    with contextlib.suppress(StaleStream):  # who comes second finds them there
        async with database.session() as session:
            await store.add_learners(session.connection, learners, session.at)


class GivenUp(Exception):
    """Rolls a transaction back."""


@pytest.mark.parametrize(("lock", "known"), [(lock_in, True), (add_in, False)])
async def test_batches_that_name_the_same_learners_in_opposite_orders_do_not_lock_each_other_out(
    world: Any, lock: Any, known: bool
) -> None:
    """The row in the middle is held until both wait; unsorted, each would then hold what the other wants."""
    database = world.service.database
    learners: dict[Reference, str] = {(ALPHA, bytes([n] * 32)): str(UUID(int=n)) for n in range(100)}
    middle = dict(list(learners.items())[50:51])
    if known:
        await add_in(database, learners)
    with contextlib.suppress(GivenUp):
        async with database.session() as session:
            if known:
                await store.lock_learners(session.connection, middle)
            else:
                await store.add_learners(session.connection, middle, session.at)
            both = [
                asyncio.create_task(lock(database, learners)),
                asyncio.create_task(lock(database, dict(reversed(learners.items())))),
            ]
            await until_waiting(world, 2)
            raise GivenUp
    await asyncio.gather(*both)


async def test_attempts_are_counted_right_by_processes_that_meet_in_opposite_orders(
    world: Any, body: Any, roles: Any
) -> None:
    """Six attempts a learner, three allowed; a deadlock or a lost race would answer with something else."""
    forwards = [submission(body, number, number % LEARNERS) for number in range(3 * LEARNERS)]
    backwards = [
        submission(body, number, number % LEARNERS) for number in reversed(range(3 * LEARNERS, 6 * LEARNERS))
    ]
    answers = await race(world, roles, [forwards, backwards])
    taken = [answer for answer in answers if isinstance(answer, Answer)]
    refused = [answer for answer in answers if isinstance(answer, Conflict)]
    others = [answer for answer in answers if not isinstance(answer, Answer | Conflict)]
    assert others == []
    assert len(refused) == 3 * LEARNERS
    attempts = Counter((answer.learner_id, answer.attempt) for answer in taken)
    assert len(attempts) == 3 * LEARNERS
    assert {attempt for _, attempt in attempts} == {1, 2, 3}
    assert len({answer.learner_id for answer in taken}) == LEARNERS


async def test_one_id_sent_to_two_processes_at_once_is_one_assessment(
    world: Any, body: Any, roles: Any
) -> None:
    same = [submission(body, number, number) for number in range(100)]
    answers = await race(world, roles, [same, list(reversed(same)), same])
    assert Counter(answer.repeated for answer in answers) == {False: 100, True: 200}
    assert await world.count("SELECT count(*) FROM assessor.event") == 200


async def test_erasing_waits_for_a_submission_that_holds_the_learner(world: Any, body: Any) -> None:
    """Between finding a learner and appending for them, nobody can forget them."""
    said = (await world.submit(body(1))).json()
    keys, references = LearnerKeyOwner(world.master_key), References(world.master_key)
    again = submission(body, 2, 1).command
    async with world.service.database.session() as session:
        found = await fetch([again], session, keys, references, world.settings.public_url, LaneLag())
        assert set(found.learners.values()) == {said["learner_id"]}
        erasing = asyncio.create_task(world.ask("DELETE", f"/learners/{said['learner_id']}"))
        await until_waiting(world, 1)
        assert not erasing.done()
    assert (await erasing).status_code == 204


async def test_a_batch_of_500_costs_no_more_statements_than_one_of_5(world: Any, body: Any) -> None:
    keys, references = LearnerKeyOwner(world.master_key), References(world.master_key)
    submit = Submit(world.service.database, keys, references, world.settings.public_url, LaneLag())

    async def statements(first: int, last: int) -> list[str]:
        seen: list[str] = []
        async with world.service.database.session() as session:
            with session.connection.query_logger(lambda record: seen.append(record.query)):
                answers = await submit.submit(
                    [submission(body, number, number % 200) for number in range(first, last)], session
                )
        assert all(isinstance(answer, Answer) for answer in answers)
        return [query for query in seen if "pg_catalog" not in query and "'jit'" not in query]

    few, many = await statements(0, 5), await statements(5, 505)
    # Streams, bars, learners held, the append lock, positions, a savepoint's two ends; a COPY is not told of.
    assert len(few) == 7, few
    # And the keys and attempts of learners who are known already: read, and the attempts written.
    assert len(many) == 10, many
