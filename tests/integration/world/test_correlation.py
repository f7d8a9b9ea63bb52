"""One request can be followed through every service: in their logs of events, and in what they say of it."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, redirect_stderr

import httpx2
import pytest
import structlog

from services.demo.sample import KEY_FILE
from services.notifier import messages
from shared.clock import ordered_uuid
from shared.eventstore import Recorded
from shared.eventstore.log import read_after
from shared.telemetry import configure_logging
from tests.integration.world.conftest import PeopledWorld

PRODUCERS = ("assessor", "issuer", "notifier")
EVENTS_MAX = 10_000
SAID_WAIT_S = 30
SAID_POLL_S = 0.01
ACTOR = re.compile(r"(?:operator:cli|(api-key|consumer|loop):([a-z0-9._-]+))")
LED_TO = {
    ("assessment.submitted.v1", None),
    ("assessment.passed.v1", None),
    ("credential.issued.v1", "assessment.passed.v1"),
    ("credential.signed.v1", "credential.issued.v1"),
    ("credential.revoked.v1", None),
    ("status-list.published.v1", "credential.revoked.v1"),
    ("notification.requested.v1", "credential.signed.v1"),
    ("notification.requested.v1", "credential.revoked.v1"),
    ("notification.sent.v1", "notification.requested.v1"),
    ("learner.erased.v1", None),
}
"""Every event that three requests lead to, and the one that each was caused by."""
SPOILT = """
CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$;
CREATE TRIGGER spoilt BEFORE INSERT ON {table} FOR EACH ROW {when} EXECUTE FUNCTION spoil()
"""
MENDED = "DROP FUNCTION spoil CASCADE"


@contextmanager
def logging_as_in_production() -> Iterator[io.StringIO]:
    """Log JSON lines as a service's process does, into what is yielded."""
    root = logging.getLogger()
    kept, handlers, level = structlog.get_config(), root.handlers[:], root.level
    with redirect_stderr(io.StringIO()) as said:
        configure_logging("INFO")
        try:
            yield said
        finally:
            structlog.configure(**kept)
            root.handlers[:] = handlers
            root.setLevel(level)


@asynccontextmanager
async def provider_of(world: PeopledWorld, correlation: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Speak HTTP with the world's key, naming a correlation of our own."""
    headers = {
        "Authorization": f"Bearer {token_of(world)}",
        "X-Correlation-Id": correlation,
        "traceparent": trace_of(correlation),
    }
    async with httpx2.AsyncClient(
        base_url=world.installation.address, headers=headers, trust_env=False
    ) as http:
        yield http


def trace_of(correlation: str) -> str:
    """Return the traceparent that goes with a correlation."""
    return f"00-{correlation[-1] * 32}-{correlation[-1] * 16}-01"


def token_of(world: PeopledWorld) -> str:
    return (world.installation.folder / KEY_FILE).read_text("ascii").strip()


async def logs(world: PeopledWorld) -> dict[str, list[Recorded]]:
    """Return everything that each producing service ever appended."""
    found = {}
    for service in world.installation.house.services:
        if service.name in PRODUCERS:
            async with service.database.connection() as connection:
                found[service.name] = await read_after(connection, 0, EVENTS_MAX)
    return found


async def walk(world: PeopledWorld) -> dict[str, str]:
    """Submit, revoke and erase with a correlation each; returns the one of each kind of first event."""
    assessment = world.assessment()
    async with provider_of(world, "of-the-submission:1") as http:
        answer = await http.post("/assessor/assessments", json=assessment)
        assert answer.status_code == 201, answer.text
        assert answer.headers["X-Correlation-Id"] == "of-the-submission:1"
    await world.settled()
    credential = await world.provider.credential_of(assessment["assessment_id"])
    async with provider_of(world, "of-the-revocation:2") as http:
        revoke = f"/issuer/credentials/{credential['credential_id']}/revoke"
        assert (await http.post(revoke, json={"reason": "issued-in-error"})).is_success
    await world.settled()
    learner_id = answer.json()["learner_id"]
    async with provider_of(world, "of-the-erasure:3") as http:
        assert (await http.delete(f"/assessor/learners/{learner_id}")).is_success
    await world.settled()
    return {
        "assessment.submitted.v1": "of-the-submission:1",
        "assessment.passed.v1": "of-the-submission:1",
        "credential.revoked.v1": "of-the-revocation:2",
        "learner.erased.v1": "of-the-erasure:3",
    }


async def test_all_that_a_request_leads_to_carries_its_correlation_and_the_event_that_caused_it(
    world: PeopledWorld,
) -> None:
    before = {item.id for log in (await logs(world)).values() for item in log}
    correlations = await walk(world)
    everything = [item for log in (await logs(world)).values() for item in log]
    by_id = {item.id: item for item in everything}
    seen = set()
    for item in [item for item in everything if item.id not in before]:
        cause = None if item.meta.causation is None else by_id[item.meta.causation]
        seen.add((item.event.TYPE, cause and cause.event.TYPE))
        expected = correlations[item.event.TYPE] if cause is None else cause.meta.correlation
        assert item.meta.correlation == expected, (item.event.TYPE, item.meta)
        assert item.meta.traceparent == trace_of(expected), (item.event.TYPE, item.meta)
    assert seen == LED_TO


async def test_every_event_says_who_caused_it_by_a_name_that_exists(world: PeopledWorld) -> None:
    await walk(world)
    lanes = {
        subscription.name
        for service in world.installation.house.services
        for subscription in service.subscriptions
    }
    loops = {loop.name for service in world.installation.house.services for loop in service.loops}
    loops |= {name.rpartition(".")[0] for name in loops if name.count(".") > 1}
    existing = {"api-key": {token_of(world).split("_")[1]}, "consumer": lanes, "loop": loops}
    kinds = set()
    for producer, log in (await logs(world)).items():
        assert log, producer
        for item in log:
            actor = ACTOR.fullmatch(item.meta.actor)
            assert actor, (item.event.TYPE, item.meta.actor)
            kind, name = actor.groups()
            kinds.add(kind)
            assert kind is None or name in existing[kind], (item.event.TYPE, item.meta.actor)
    assert kinds == {None, "api-key", "consumer", "loop"}


@asynccontextmanager
async def spoilt(world: PeopledWorld, table: str, when: str = "") -> AsyncIterator[None]:
    """Let the notifier write no row to `table` until the block ends."""
    [notifier] = [each for each in world.installation.house.services if each.name == "notifier"]
    async with notifier.database.connection() as connection:
        await connection.execute(SPOILT.format(table=table, when=when))
    yield
    async with notifier.database.connection() as connection:
        await connection.execute(MENDED)


async def submitted(world: PeopledWorld, correlation: str) -> None:
    """Hand in an assessment that passes, naming a correlation of our own."""
    async with provider_of(world, correlation) as http:
        assert (await http.post("/assessor/assessments", json=world.assessment())).status_code == 201


async def until_said(said: io.StringIO, event: str) -> None:
    """Wait until a line tells of `event`."""
    async with asyncio.timeout(SAID_WAIT_S):
        while f'"{event}"' not in said.getvalue():  # noqa: ASYNC110 - the event is a line
            await asyncio.sleep(SAID_POLL_S)


def correlations_of(said: io.StringIO) -> set[tuple[str, str | None]]:
    """Return what was told of, each with the correlation of its line."""
    lines = [json.loads(line) for line in said.getvalue().splitlines()]
    return {(line["event"], line.get("correlation")) for line in lines}


async def test_what_the_services_log_of_a_request_carries_its_correlation(world: PeopledWorld) -> None:
    learner = {"reference": "L-1", "name": "Learner", "email": "learner@example.org"}
    await world.passed(learner=learner)
    learner_id = await world.provider.learner_id("L-1")
    unheard_of = world.assessment(achievement_id=str(ordered_uuid()))
    with logging_as_in_production() as said:
        async with provider_of(world, "of-a-submission:4") as http:
            assert (await http.post("/assessor/assessments", json=unheard_of)).status_code == 503
        async with provider_of(world, "of-an-erasure:5") as http:
            assert (await http.delete(f"/assessor/learners/{learner_id}")).is_success
    expected = {("request not served", "of-a-submission:4"), ("learner erased", "of-an-erasure:5")}
    assert expected <= correlations_of(said)


async def test_what_a_lane_logs_of_one_record_carries_the_correlation_of_its_request(
    world: PeopledWorld,
) -> None:
    with logging_as_in_production() as said:
        async with spoilt(world, "credential"):
            await submitted(world, "of-the-buried:6")
            await world.settled()
    assert ("record buried", "of-the-buried:6") in correlations_of(said)


async def test_what_a_courier_logs_of_an_attempt_carries_the_correlation_of_its_request(
    world: PeopledWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.mailbox.refuse(1, "550 5.1.1 Nobody of that name")
    with logging_as_in_production() as said:
        await submitted(world, "of-the-refused:7")
        await world.settled()
        async with spoilt(world, "event", "WHEN (NEW.type = 'notification.sent.v1')"):
            await submitted(world, "of-the-unwritten:8")
            await until_said(said, "command failed")
        await world.settled()
        spoilt_wording = messages.WORDINGS[1]._replace(webhook_body=lambda *_: 1 / 0)
        monkeypatch.setattr(messages, "WORDINGS", {1: spoilt_wording})
        await submitted(world, "of-the-fault:9")
        await world.settled()
    expected = {
        ("attempt without success", "of-the-refused:7"),
        ("command failed", "of-the-unwritten:8"),
        ("attempt failed for a fault of ours", "of-the-fault:9"),
        ("attempt without success", "of-the-fault:9"),
    }
    assert expected <= correlations_of(said)
