"""What an alarm watches: /metrics tells how much waits and how much is buried, and that it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

import shared.bus.consumer
import shared.service
from shared.app import application
from shared.bus import dead_letters
from shared.bus.agreement import Tails
from shared.bus.consumer import Subscription
from shared.bus.local import LocalBus
from shared.bus.relay import Relay
from shared.bus.seam import Record
from shared.contracts.event import Topic
from shared.contracts.learners import LearnerErased
from shared.database import Database
from shared.eventstore import Recorded, Session
from shared.service import Running, running
from tests.conftest import Roles
from tests.integration.made_services import WAIT_S, a_bus, a_service, begin

LANE, RELAY = "assessor.gauged", "assessor.gauged-relay"
RECORDS = 3
POLL_S = 0.02
LAG, DEAD = "microcred_consumer_lag_records", "microcred_dead_letters"
BATCH = "microcred_consumer_batch_records"


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Housekeeping and requeues at once: nobody but them shows these numbers here."""
    monkeypatch.setattr(shared.service, "HOUSEKEEPING_EVERY_S", POLL_S)
    monkeypatch.setattr(shared.bus.consumer, "REQUEUE_CHECK_EVERY_S", POLL_S)


@pytest.fixture
async def waiting(assessor: Database) -> Database:
    """The assessor's database with RECORDS events that nobody has taken."""
    for _ in range(RECORDS):
        await begin(assessor)
    return assessor


async def shown(house: Running) -> dict[tuple[str, str], float]:
    """Scrape the process as Prometheus does: the samples of lanes and relays, by name and whose they are."""
    transport = httpx2.ASGITransport(app=application(house))
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as http:
        text = (await http.get("/metrics")).text
    return {
        (sample.name, sample.labels["consumer"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if "consumer" in sample.labels and "le" not in sample.labels and "outcome" not in sample.labels
    }


async def until_shown(house: Running, whose: str, **expected: float) -> None:
    """Scrape until every sample has its value; a TimeoutError tells what was shown last."""
    wanted = {(name, whose): value for name, value in expected.items()}
    seen: dict[tuple[str, str], float | None] = {}
    try:
        async with asyncio.timeout(WAIT_S):
            while seen != wanted:
                samples = await shown(house)
                seen = {sample: samples.get(sample) for sample in wanted}
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise TimeoutError(f"{wanted} was to be shown, and {seen} was") from None


async def test_lag_dead_letters_and_batches_of_a_lane_are_shown_and_fall_to_nothing(
    roles: Roles, waiting: Database, tmp_path: Path
) -> None:
    go_on, spoilt = asyncio.Event(), True

    async def take(batch: Sequence[Recorded], session: Session, _: Any) -> None:
        await go_on.wait()
        if spoilt and any(each.position == 1 for each in batch):
            raise ValueError

    lane = Subscription(LANE, (LearnerErased,), take)
    async with running([a_service(waiting, tmp_path, lane)], await a_bus(roles)) as house:
        await until_shown(house, LANE, **{LAG: RECORDS, DEAD: 0})
        go_on.set()
        await until_shown(house, LANE, **{LAG: 0, DEAD: 1, f"{BATCH}_count": 1, f"{BATCH}_sum": RECORDS})
        spoilt = False
        async with waiting.connection() as connection:
            [letter] = await dead_letters.open_letters(connection, LANE)
            await dead_letters.ask_requeue(connection, LANE, letter.key)
        await until_shown(house, LANE, **{LAG: 0, DEAD: 0})


class Topics:
    """A broker in memory, where Kafka cannot be run: it acknowledges nothing before it is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def send(self, records: Sequence[Record]) -> list[asyncio.Future[Any]]:
        return [asyncio.ensure_future(self.open.wait()) for _ in records]

    def refusal(self, cause: BaseException) -> Exception:
        return AssertionError(f"nothing is refused here: {cause!r}")

    async def tails(self, topics: Sequence[Topic]) -> Tails:
        return {topic.name: () for topic in topics}

    async def close(self) -> None:
        """Nothing to let go of."""


class RelayedBus(LocalBus):
    """The local bus beside one with a broker: a real relay publishes to `topics`."""

    topics: Topics

    def relay(self, producer: str, database: Database) -> Any:
        return Relay(RELAY, database, self.topics)


async def test_lag_and_batches_of_a_relay_are_shown_and_fall_to_nothing(
    roles: Roles, waiting: Database, tmp_path: Path
) -> None:
    bus = RelayedBus(await Database.open(roles.dsn("bus_reader"), "bus_reader"))
    bus.topics = Topics()
    async with running([a_service(waiting, tmp_path)], bus) as house:
        await until_shown(house, RELAY, **{LAG: RECORDS})
        bus.topics.open.set()
        await until_shown(house, RELAY, **{LAG: 0, f"{BATCH}_count": 1, f"{BATCH}_sum": RECORDS})
