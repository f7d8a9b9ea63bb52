"""Runs assessments through the house and measures: stage by stage, and end to end, all at once."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from services.demo.provider import Provider
from services.demo.sample import issuer_settings, sample_achievement, sample_issuer
from services.receivers import Mailbox
from services.world import world_environment
from shared.app import application, listening
from shared.bus.kafka import Cluster as ClusterOfBrokers
from shared.bus.kafka.topics import Durability, create
from shared.contracts.topics import TOPICS
from shared.embedded import Cluster, free_port, kafka
from shared.embedded.kafka import Broker
from tests.bench import cpu
from tests.bench.worker import HOST, services_at_work

ROOT = Path(__file__).parent.parent.parent
SETTLE_WAIT_S = 1_800
SETTLE_EVERY_S = 0.5
"""Seldom: asking how much waits is a count, and must not be what is measured."""
POLL_EVERY_S = 0.05
INTAKE_NICENESS = 6
"""Intake yields to what it hands on (docs/OPERATIONS.md): else the slowest stage starves while rows pour in,
and works them off alone afterwards."""
ONE_BROKER = Durability(replication_factor=1, min_insync_replicas=1)
STAGES = {
    "assess (HTTP bulk in, decide, seal, append)": ("assessor", ()),
    "issue (decide, reserve index, append)": ("issuer", ("issuer.issue",)),
    "sign (render, lint, canonicalise, sign, check, append)": ("issuer", ("issuer.sign",)),
    "announce (request notifications)": ("notifier", ("notifier.announce",)),
}
SETUP_LANES = (
    "assessor.keep_achievements",
    "assessor.keep_api_keys",
    "notifier.keep_api_keys",
)


@dataclass(frozen=True, slots=True)
class Bench:
    """A provisioned installation with an issuer, a key and a published achievement, nothing running."""

    folder: Path
    environment: Mapping[str, str]
    cluster: Cluster
    broker: Broker | None
    token: str
    port: int

    def spent(self, not_ours: int = 0) -> cpu.Spent:
        """Return what everybody spent so far, but for the process `not_ours`."""
        broker_pid = self.broker.pid if self.broker is not None else None
        return cpu.read(self.cluster.pid, broker_pid, not_ours)

    async def count(self, sql: str) -> int:
        """Return the one number that `sql` gives, read as the bus."""
        async with self.asking() as connection:
            return int(await connection.fetchval(sql))

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """Lend a connection that may read the logs."""
        connection = await asyncpg.connect(self.environment["BUS_DATABASE_URL"])
        try:
            yield connection
        finally:
            await connection.close()


@asynccontextmanager
async def prepared(suite: str, bus: str) -> AsyncIterator[Bench]:
    """Set up an installation that signs with `suite` and meets on `bus`: `local` or `kafka`."""
    definition, achievement_id = sample_achievement()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="microcred-bench-")))
        mailbox = await stack.enter_async_context(Mailbox(folder / "mail"))
        port = free_port()
        overrides = {
            **mailbox.settings(),
            "CRYPTOSUITES": '["eddsa-jcs-2022"]',
            "REQUESTS_PER_SECOND_MAX": "1000000",
            "REQUESTS_BURST_MAX": "1000000",
            "LOG_LEVEL": "ERROR",
        }
        broker = None
        if bus == "kafka":
            broker = await stack.enter_async_context(kafka.broker(folder / "kafka"))
            await create(ClusterOfBrokers(broker.address), TOPICS, ONE_BROKER)
            overrides |= {"BUS": "kafka", "KAFKA_BOOTSTRAP_SERVERS": broker.address}
        environment, cluster = await stack.enter_async_context(world_environment(folder, port, overrides))
        assert cluster is not None, "the bench needs an embedded PostgreSQL: unset DATABASE_URL"
        names = ("assessor", "issuer", "verifier", "notifier")
        async with (
            services_at_work(environment, names) as house,
            listening(application(house), HOST, port) as at,
        ):
            issuer = await sample_issuer(issuer_settings(folder), folder)
            async with Provider(at, issuer.token) as provider:
                await provider.until_known()
                await provider.publish_achievement(definition, achievement_id)
            await house.settled(SETTLE_WAIT_S)
        # The issuer was set up with a suite that every process knows; from here on it signs with `suite`.
        environment |= {"CRYPTOSUITES": f'["{suite}"]'}
        yield Bench(folder, environment, cluster, broker, issuer.token, port)


@asynccontextmanager
async def fed(bench: Bench, number: int, rate: int = 0) -> AsyncIterator[asyncio.subprocess.Process]:
    """Yield a feeder with its rows made; a line on its standard input starts the upload.

    With a `rate` each assessment is a request of its own, so many a second.
    """
    feeder = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.feeder",
        f"http://{HOST}:{bench.port}",
        str(number),
        str(rate),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert feeder.stdin is not None
    assert feeder.stdout is not None
    try:
        feeder.stdin.write(f"{bench.token}\n".encode())
        assert await feeder.stdout.readline() == b"ready\n"
        yield feeder
    finally:
        if feeder.returncode is None:
            feeder.kill()
        await feeder.wait()


async def start(feeder: asyncio.subprocess.Process) -> None:
    """Let a feeder upload."""
    assert feeder.stdin is not None
    feeder.stdin.write(b"\n")
    await feeder.stdin.drain()


async def uploaded(feeder: asyncio.subprocess.Process, number: int) -> None:
    """Wait for the end of the upload and check that everything passed."""
    assert feeder.stdout is not None
    passed = int(await feeder.stdout.readline())
    assert passed == number, f"{passed} of {number} passed"


async def by_stage(suite: str, bus: str, number: int) -> dict[str, cpu.Spent]:
    """Run `number` assessments through one stage after the other; return what each spent.

    On Kafka a stage ends when its service's events are on the bus.
    """
    spent: dict[str, cpu.Spent] = {}
    async with prepared(suite, bus) as bench:
        for stage, (service, lanes) in STAGES.items():
            kept = (*SETUP_LANES, *lanes)
            async with services_at_work(bench.environment, [service], kept) as house:
                if lanes:
                    before = bench.spent()
                    await house.settled(SETTLE_WAIT_S, SETTLE_EVERY_S)
                    spent[stage] = bench.spent().since(before)
                    continue
                await house.settled(SETTLE_WAIT_S)
                async with fed(bench, number) as feeder, listening(application(house), HOST, bench.port):
                    before = bench.spent(feeder.pid)
                    await start(feeder)
                    await uploaded(feeder, number)
                    await house.settled(SETTLE_WAIT_S, SETTLE_EVERY_S)
                    spent[stage] = bench.spent(feeder.pid).since(before)
        signed = await bench.count("SELECT count(*) FROM issuer.event WHERE type = 'credential.signed.v1'")
        assert signed == number, f"{signed} of {number} signed"
    return spent


async def end_to_end(suite: str, bus: str, number: int, processes: Sequence[Sequence[str]]) -> float:
    """Return the seconds from the first byte of the upload to the last notification request."""
    reached = "SELECT coalesce(max(position), 0) FROM notifier.event"
    requested = "SELECT count(*) FROM notifier.event WHERE type = 'notification.requested.v1'"
    async with prepared(suite, bus) as bench, at_work(bench, processes), fed(bench, number) as feeder:
        began = time.perf_counter()
        await start(feeder)
        await uploaded(feeder, number)
        async with asyncio.timeout(SETTLE_WAIT_S), bench.asking() as connection:
            for question in (reached, requested):  # the count, which costs, only once there may be enough
                while await connection.fetchval(question) < number:  # noqa: ASYNC110 - other processes work
                    await asyncio.sleep(POLL_EVERY_S)
        return time.perf_counter() - began


@asynccontextmanager
async def at_work(bench: Bench, processes: Sequence[Sequence[str]]) -> AsyncIterator[None]:
    """Run each of `processes`, names of services; the first one listens on the installation's port."""
    async with AsyncExitStack() as stack:
        for place, names in enumerate(processes):
            port = bench.port if place == 0 else free_port()
            await stack.enter_async_context(_worker(bench, port, names))
        yield


@asynccontextmanager
async def _worker(bench: Bench, port: int, names: Sequence[str]) -> AsyncIterator[None]:
    environment = dict(bench.environment)
    if "issuer-desk" in names:
        del environment["SIGNING_DATABASE_URL"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.worker",
        str(port),
        *names,
        env=os.environ | environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    if "assessor" in names:
        os.setpriority(os.PRIO_PROCESS, process.pid, INTAKE_NICENESS)
    try:
        assert await process.stdout.readline() == b"ready\n", "a worker did not start"
        yield
    finally:
        process.stdin.close()
        await process.wait()
