"""Rows that are expected to be new are copied, all or none; what was seen before changes no read model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from services.assessor.projections import count_attempts
from services.notifier.projections import keep_credentials
from shared.contracts.assessments import AssessmentSubmitted
from shared.contracts.credentials import CredentialSigned
from shared.contracts.event import Event
from shared.database import Database
from shared.eventstore import Meta, Recorded
from shared.eventstore.copying import copied
from tests.conftest import Roles
from tests.contract.event_samples import AT, SAMPLES

(SUBMITTED,) = (event for event in SAMPLES if isinstance(event, AssessmentSubmitted))
(SIGNED,) = (event for event in SAMPLES if isinstance(event, CredentialSigned))


@pytest.fixture
async def notifier(roles: Roles) -> AsyncIterator[Database]:
    """The notifier's database."""
    async with await Database.open(roles.dsn("notifier"), "notifier") as opened:
        yield opened


def recorded(event: Event) -> Recorded:
    return Recorded(1, uuid4(), "acme", event.stream, 1, AT, event, Meta("operator:cli", "c-1"))


async def test_rows_are_copied_all_or_none_and_the_transaction_goes_on(assessor: Database) -> None:
    columns = ("consumer", "event_id")
    rows = [("reader", UUID(int=number)) for number in range(4)]
    async with assessor.session() as session:
        assert await copied(session.connection, "inbox", columns, rows[:2])
        assert not await copied(session.connection, "inbox", columns, rows[1:])
        assert await copied(session.connection, "inbox", columns, rows[2:3])
    async with assessor.connection() as connection:
        kept = await connection.fetch("SELECT consumer, event_id FROM inbox ORDER BY event_id")
    assert [tuple(row) for row in kept] == rows[:3]


async def test_attempts_that_are_seen_again_are_not_counted_again(assessor: Database) -> None:
    first = SUBMITTED.model_copy(update={"attempt": 1})
    second = SUBMITTED.model_copy(update={"attempt": 2})
    other = first.model_copy(update={"learner_id": str(uuid4())})
    async with assessor.session() as session:
        await count_attempts(session.connection, [recorded(first), recorded(second)])
        await count_attempts(session.connection, [recorded(first), recorded(other)])
    async with assessor.connection() as connection:
        rows = await connection.fetch("SELECT learner_id, taken FROM attempt")
    assert {tuple(row) for row in rows} == {(first.learner_id, 2), (other.learner_id, 1)}


async def test_a_credential_that_is_known_already_stays_as_it_is_and_others_are_added(
    notifier: Database,
) -> None:
    renamed = SIGNED.model_copy(update={"achievement_name": "Another"})
    other = SIGNED.model_copy(update={"credential_id": str(uuid4())})
    async with notifier.session() as session:
        await keep_credentials(session.connection, [recorded(SIGNED)])
        await keep_credentials(session.connection, [recorded(renamed), recorded(other)])
    async with notifier.connection() as connection:
        rows = await connection.fetch("SELECT credential_id::text, achievement_name FROM credential")
    assert {tuple(row) for row in rows} == {
        (SIGNED.credential_id, SIGNED.achievement_name),
        (other.credential_id, other.achievement_name),
    }
