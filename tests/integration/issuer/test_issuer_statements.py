"""The number of statements of a batch does not grow with the batch, and no personal data lies in a table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.issuer.handlers.revoke import Revoke
from shared.contracts.achievements import SecondPass
from shared.contracts.credentials import CredentialIssued, CredentialRevoked
from shared.contracts.event import Event
from shared.database import Database
from shared.eventstore import Recorded
from shared.eventstore.log import Connection
from tests.integration.issuer.conftest import META, SETTLE_WAIT_S, Desk, opened, take
from tests.unit.issuer.samples import DEFINITION, EMAIL, NAME

STATEMENTS_MAX = 24
"""Of a lane and batch; the pool's own resets of a connection count too."""

AGAIN = DEFINITION.model_copy(update={"on_second_pass": SecondPass.ISSUE_AGAIN})


class Counted:
    """Counts the statements that go through a Database, save those that open or close a transaction."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.statements: list[str] = []
        lend = database.connection

        @asynccontextmanager
        async def connection() -> AsyncIterator[Connection]:
            async with lend() as lent:
                lent.add_query_logger(self._note)
                try:
                    yield lent
                finally:
                    lent.remove_query_logger(self._note)

        monkeypatch.setattr(database, "connection", connection)

    def _note(self, record: Any) -> None:
        if not record.query.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
            self.statements.append(record.query)


async def statements(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, lane: str, batch: list[Recorded]
) -> list[str]:
    """What a lane asks the database for one batch, by a service that has cached nothing but the key."""
    async with opened(await desk.service()) as service:
        counted = Counted(service.database, monkeypatch)
        await take(service, lane, batch)
    return counted.statements


async def log(desk: Desk, kind: type[Event]) -> list[Recorded]:
    return await desk.log(kind)


async def test_a_batch_costs_the_same_few_statements_whatever_its_size(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement(definition=AGAIN)
    learners = [await desk.learner() for _ in range(40)]
    for number, learner in enumerate(learners):
        await desk.passes(learner, achievement_id, f"a-{number}")
    passed = await desk.passed()
    few, many = slice(0, 2), slice(2, 40)
    counts = {}
    for name, part in (("few", few), ("many", many)):
        counts["issue", name] = len(await statements(desk, monkeypatch, "issuer.issue", passed[part]))
    intents = await log(desk, CredentialIssued)
    for name, part in (("few", few), ("many", many)):
        counts["sign", name] = len(await statements(desk, monkeypatch, "issuer.sign", intents[part]))
    async with desk.database() as database:
        for each in intents:
            await Revoke(database)("oslo", each.event.credential_id, "misconduct", META)
    revocations = await log(desk, CredentialRevoked)
    for name, part in (("few", few), ("many", many)):
        counts["publish", name] = len(
            await statements(desk, monkeypatch, "issuer.publish_status", revocations[part])
        )
    for lane in ("issue", "sign", "publish"):
        assert 0 < counts[lane, "few"] == counts[lane, "many"] <= STATEMENTS_MAX, counts


async def test_no_table_of_the_issuer_holds_a_learners_name_or_email(desk: Desk) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement()
    await desk.passes(await desk.learner(), achievement_id, "a-1")
    async with desk.house() as house, desk.database() as database:
        await house.settled(SETTLE_WAIT_S)
        async with database.connection() as connection:
            tables = await connection.fetch(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'issuer'"
            )
            rows = 0
            for table in tables:
                for row in await connection.fetch(f"SELECT * FROM {table['table_name']}"):
                    rows += 1
                    content = b" ".join(
                        value if isinstance(value, bytes) else str(value).encode() for value in row.values()
                    )
                    assert NAME.encode() not in content
                    assert EMAIL.encode() not in content
    assert rows > 10


async def test_every_table_of_the_issuer_carries_the_tenant(desk: Desk) -> None:
    shared = {"cursor", "inbox", "migration"}
    of_the_installation = {"installation"}
    async with desk.database() as database, database.connection() as connection:
        rows = await connection.fetch(
            "SELECT t.table_name, bool_or(c.column_name = 'issuer_id') AS carries"
            " FROM information_schema.tables t"
            " JOIN information_schema.columns c USING (table_schema, table_name)"
            " WHERE table_schema = 'issuer' GROUP BY 1"
        )
    assert {row["table_name"] for row in rows if not row["carries"]} == shared | of_the_installation
