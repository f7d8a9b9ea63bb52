"""Canonicalising in other processes: batches come back whole and in order, poison hurts nobody else."""

from __future__ import annotations

import asyncio
import copy
import importlib.util
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

from shared import progress
from shared.errors import Invalid, Unavailable
from shared.proofs import worker_link
from shared.proofs.strictjson import JsonObject
from shared.proofs.suites import SUITES, Suite
from shared.proofs.suites.signatures import Ed25519Signatures
from shared.proofs.workers import CHUNK_DOCUMENTS_MAX, CanonicalWorkers
from tests.unit.proofs.nquads_suite import NQuadsSuite

RDFC = "eddsa-rdfc-2022"
JCS = "eddsa-jcs-2022"


@dataclass(frozen=True)
class DyingSuite(Ed25519Signatures):
    """Ends its process by a signal when it is told so."""

    cryptosuite: Final = "dying"
    offloaded: Final = True
    own_context: Final = False

    def hash_data(self, document: JsonObject, proof_config: JsonObject) -> bytes:
        if document.get("die"):
            os.kill(os.getpid(), signal.SIGKILL)
        return bytes(64)


@dataclass(frozen=True)
class CallingSuite(Ed25519Signatures):
    """Calls its test to say that it is at work, and never ends."""

    cryptosuite: Final = "calling"
    offloaded: Final = True
    own_context: Final = False

    def hash_data(self, document: JsonObject, proof_config: JsonObject) -> bytes:
        port = document.get("port")
        if isinstance(port, int):
            with socket.create_connection(("127.0.0.1", port)):
                signal.pause()
        return bytes(64)


@dataclass(frozen=True)
class ReachingSuite(Ed25519Signatures):
    """Tells which clients of the network PyLD could find beside it."""

    cryptosuite: Final = "reaching"
    offloaded: Final = True
    own_context: Final = False

    def hash_data(self, document: JsonObject, proof_config: JsonObject) -> bytes:
        found = [name for name in ("aiohttp", "requests") if importlib.util.find_spec(name)]
        return ",".join(found).encode().ljust(64, b"-")


@dataclass(frozen=True)
class NullSuite(Ed25519Signatures):
    """What a benchmark plugs in to measure everything but canonicalisation."""

    cryptosuite: Final = "null"
    offloaded: Final = False
    own_context: Final = False

    def hash_data(self, document: JsonObject, proof_config: JsonObject) -> bytes:
        return bytes(64)


@pytest.fixture
async def workers() -> AsyncIterator[CanonicalWorkers]:
    suites: dict[str, Suite] = {**SUITES, "nquads": NQuadsSuite(), "dying": DyingSuite(), "null": NullSuite()}
    async with CanonicalWorkers(2, suites=suites) as running:
        yield running


@pytest.fixture(autouse=True)
def no_worker_is_left() -> Iterator[None]:
    yield
    assert own_workers() == []


def own_workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if worker_link.PROGRAM in child.cmdline()]


def different(badge: JsonObject, count: int) -> list[JsonObject]:
    return [{**badge, "name": f"Badge {number}"} for number in range(count)]


def poisoned(badge: JsonObject) -> JsonObject:
    """A small tree of like nodes: ten factorial permutations, twice."""
    poison: Any = copy.deepcopy(badge)
    alignment = {"type": ["Alignment"], "targetName": "a", "targetUrl": "urn:t"}
    poison["credentialSubject"]["result"] = [
        {"type": ["Result"], "value": "1", "alignment": [alignment] * 10},
        {"type": ["Result"], "value": "1", "alignment": [alignment] * 10},
    ]
    return poison


def code(answer: bytes | Invalid) -> str:
    return answer.code if isinstance(answer, Invalid) else "hashed"


@pytest.mark.parametrize("cryptosuite", SUITES)
async def test_a_batch_comes_back_complete_and_in_order(
    workers: CanonicalWorkers, badge: JsonObject, options: JsonObject, cryptosuite: str
) -> None:
    documents = different(badge, 5 * CHUNK_DOCUMENTS_MAX + 3)
    answers = await workers.hash_data(cryptosuite, [(document, options) for document in documents])
    assert answers == [SUITES[cryptosuite].hash_data(document, options) for document in documents]
    assert await workers.hash_data(cryptosuite, []) == []


@pytest.mark.parametrize("cryptosuite", SUITES)
async def test_a_refused_document_does_not_refuse_the_others(
    workers: CanonicalWorkers, badge: JsonObject, options: JsonObject, cryptosuite: str
) -> None:
    documents = different(badge, 20)
    documents[3] = {**badge, "grade": float("nan")}
    documents[11] = {**badge, "name": "\ud800"}
    answers = await workers.hash_data(cryptosuite, [(document, options) for document in documents])
    assert [index for index, answer in enumerate(answers) if isinstance(answer, Invalid)] == [3, 11]


async def test_a_refusal_arrives_with_its_code_and_its_place(
    workers: CanonicalWorkers, badge: JsonObject, options: JsonObject
) -> None:
    (answer,) = await workers.hash_data(RDFC, [({**badge, "grade": "A"}, options)])
    assert isinstance(answer, Invalid)
    assert (answer.code, answer.reasons) == ("data-loss", ("$.grade: no context defines this property",))


async def test_a_document_beyond_the_size_limit_never_reaches_a_worker(
    workers: CanonicalWorkers, badge: JsonObject, options: JsonObject
) -> None:
    answers = await workers.hash_data(RDFC, [({**badge, "name": "x" * 300_000}, options), (badge, options)])
    assert [code(answer) for answer in answers] == ["json-too-large", "hashed"]


async def test_the_poison_of_the_rdfc_suite_is_refused_and_the_next_job_works(
    workers: CanonicalWorkers, vectors: Path
) -> None:
    graphs = [
        (vectors / "rdf-canon" / "rdfc10" / f"{name}-in.nq").read_text("utf-8")
        for name in ("test074", "test044")
    ]
    pairs: list[tuple[JsonObject, JsonObject]] = [({"nquads": graph}, {}) for graph in graphs]
    assert [code(answer) for answer in await workers.hash_data("nquads", pairs)] == [
        "canonicalisation-limit",
        "hashed",
    ]


async def test_poison_costs_no_worker_and_nobody_else_anything(
    workers: CanonicalWorkers, badge: JsonObject, options: JsonObject
) -> None:
    before = {child.pid for child in own_workers()}
    documents = different(badge, 40)
    documents[17] = poisoned(badge)
    batch = workers.hash_data(RDFC, [(document, options) for document in documents])
    single = workers.hash_data(RDFC, [(badge, options)])
    answers, (alone,) = await asyncio.gather(batch, single)
    assert [index for index, answer in enumerate(answers) if code(answer) != "hashed"] == [17]
    assert code(answers[17]) == "canonicalisation-limit"
    assert alone == SUITES[RDFC].hash_data(badge, options)
    assert before == {child.pid for child in own_workers()}


async def test_a_worker_killed_from_outside_is_replaced_and_its_jobs_go_again(
    workers: CanonicalWorkers, badge: JsonObject, options: JsonObject
) -> None:
    before = own_workers()
    asking = asyncio.create_task(
        workers.hash_data(RDFC, [(document, options) for document in different(badge, 100)])
    )
    await asyncio.sleep(0)
    for child in before:
        child.kill()
    assert [code(answer) for answer in await asking] == ["hashed"] * 100
    assert not {child.pid for child in before} & {child.pid for child in own_workers()}


async def test_a_spare_takes_the_place_of_a_worker_that_died(badge: JsonObject, options: JsonObject) -> None:
    async with CanonicalWorkers(1, spare=True) as workers:
        assert len(own_workers()) == 1
        await workers.hash_data(RDFC, [(badge, options)])
        while len(own_workers()) < 2:  # noqa: ASYNC110 - the list of processes is the only sign of the spare
            await asyncio.sleep(0.01)
        worker, spare = sorted(own_workers(), key=lambda process: process.create_time())
        worker.kill()
        assert await workers.hash_data(RDFC, [(badge, options)]) == [SUITES[RDFC].hash_data(badge, options)]
        assert spare.is_running()
        assert worker.pid not in {process.pid for process in own_workers()}
    assert own_workers() == []


async def test_a_document_that_kills_its_worker_twice_is_refused(workers: CanonicalWorkers) -> None:
    pairs: list[tuple[JsonObject, JsonObject]] = [({"die": number == 2}, {}) for number in range(6)]
    assert [code(answer) for answer in await workers.hash_data("dying", pairs)] == [
        "hashed",
        "hashed",
        "canonicalisation-limit",
        "hashed",
        "hashed",
        "hashed",
    ]


async def test_a_bug_in_a_suite_refuses_the_document_and_repeats_nothing_of_it(
    capfd: pytest.CaptureFixture[str],
) -> None:
    pairs: list[tuple[JsonObject, JsonObject]] = [({"nquads": "Ann Learner"}, {}), ({"nquads": ""}, {})]
    async with CanonicalWorkers(1, suites={"nquads": NQuadsSuite()}) as workers:
        assert [code(answer) for answer in await workers.hash_data("nquads", pairs)] == [
            "canonicalisation-failed",
            "hashed",
        ]
    told = capfd.readouterr().err
    assert "JsonLdError in nquads" in told
    assert "Ann" not in told


async def test_a_full_queue_is_later_and_not_never(badge: JsonObject, options: JsonObject) -> None:
    async with CanonicalWorkers(1, queue_documents_max=10) as workers:
        first = asyncio.create_task(workers.hash_data(RDFC, [(badge, options)] * 8))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await workers.hash_data(RDFC, [(badge, options)] * 3)
        assert len(await first) == 8
        assert len(await workers.hash_data(RDFC, [(badge, options)] * 10)) == 10


async def test_callers_take_turns(badge: JsonObject, options: JsonObject) -> None:
    async with CanonicalWorkers(1) as workers:
        finished: list[str] = []

        async def ask(name: str, count: int) -> None:
            await workers.hash_data(RDFC, [(badge, options)] * count)
            finished.append(name)

        await asyncio.gather(ask("a batch", 6 * CHUNK_DOCUMENTS_MAX), ask("one", 1))
        assert finished == ["one", "a batch"]


async def test_each_answer_is_progress_of_whoever_asked_and_of_nobody_else(
    workers: CanonicalWorkers, badge: JsonObject, options: JsonObject
) -> None:
    heard = {"first": 0, "second": 0}

    async def ask(name: str, documents: int) -> None:
        def hear() -> None:
            heard[name] += 1

        with progress.told_to(hear):
            await workers.hash_data(RDFC, [(badge, options)] * documents)

    await asyncio.gather(ask("first", 5), ask("second", 3))
    assert heard == {"first": 5, "second": 3}


async def test_a_caller_who_goes_away_leaves_no_place_taken(badge: JsonObject, options: JsonObject) -> None:
    async with CanonicalWorkers(1, queue_documents_max=100) as workers:
        leaving = asyncio.create_task(workers.hash_data(RDFC, [(badge, options)] * 100))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        assert len(await workers.hash_data(RDFC, [(badge, options)] * 100)) == 100


async def test_the_null_suite_of_a_benchmark_runs_in_the_callers_process(badge: JsonObject) -> None:
    before = own_workers()
    async with CanonicalWorkers(2, suites={"null": NullSuite()}) as workers:
        assert own_workers() == before
        assert await workers.hash_data("null", [(badge, {})] * 3) == [bytes(64)] * 3


async def test_closing_leaves_no_process_and_nobody_waiting(badge: JsonObject, options: JsonObject) -> None:
    workers = CanonicalWorkers(2)
    await workers.start()
    running = own_workers()
    assert len(running) == 2
    waiting = asyncio.create_task(workers.hash_data(RDFC, [(badge, options)] * 2_000))
    await asyncio.sleep(0)
    await workers.close()
    with pytest.raises(Unavailable):
        await waiting
    assert not any(child.is_running() for child in running)
    with pytest.raises(Unavailable):
        await workers.hash_data(RDFC, [(badge, options)])


async def test_closing_in_the_middle_of_a_job_tells_its_caller() -> None:
    at_work = asyncio.Event()

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at_work.set()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        workers = CanonicalWorkers(1, suites={"calling": CallingSuite()})
        await workers.start()
        waiting = asyncio.create_task(workers.hash_data("calling", [({"port": port}, {})]))
        await at_work.wait()
        await workers.close()
        with pytest.raises(Unavailable):
            await waiting


async def test_workers_that_cannot_start_are_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_link.sys, "executable", "/nonexistent/python")
    with pytest.raises(Unavailable):
        await CanonicalWorkers(2).start()
    assert own_workers() == []


async def test_while_no_worker_can_be_replaced_jobs_are_for_later_and_then_they_are_done(
    monkeypatch: pytest.MonkeyPatch, badge: JsonObject, options: JsonObject
) -> None:
    async with CanonicalWorkers(1) as workers:
        with monkeypatch.context() as broken:
            broken.setattr(worker_link.sys, "executable", "/nonexistent/python")
            (worker,) = own_workers()
            worker.kill()
            with pytest.raises(Unavailable):
                await workers.hash_data(RDFC, [(badge, options)])
        assert await workers.hash_data(RDFC, [(badge, options)]) == [SUITES[RDFC].hash_data(badge, options)]


async def test_a_worker_is_told_nothing_of_the_parents_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_KEY", "a secret")
    async with CanonicalWorkers(1):
        (worker,) = own_workers()
        assert "MASTER_KEY" not in worker.environ()


async def test_a_worker_has_no_client_of_the_network() -> None:
    assert importlib.util.find_spec("requests"), "a test dependency brings it"
    async with CanonicalWorkers(1, suites={"reaching": ReachingSuite()}) as workers:
        assert await workers.hash_data("reaching", [({}, {})]) == [b"-" * 64]


async def test_ctrl_c_is_for_the_parent(badge: JsonObject, options: JsonObject) -> None:
    async with CanonicalWorkers(1) as workers:
        (worker,) = own_workers()
        assert os.getpgid(worker.pid) != os.getpgid(0)
        worker.send_signal(signal.SIGINT)
        assert len(await workers.hash_data(RDFC, [(badge, options)])) == 1
        assert [child.pid for child in own_workers()] == [worker.pid]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_busy_workers_end_with_their_parent(end: signal.Signals, vectors: Path) -> None:
    program = Path(__file__).with_name("parent_of_workers.py")
    poison = vectors / "rdf-canon" / "rdfc10" / "test074-in.nq"
    with subprocess.Popen(
        [sys.executable, program, poison], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as parent:
        assert parent.stdout is not None
        children = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        assert len(children) == 2
        parent.send_signal(end)
        parent.wait()
        _, alive = psutil.wait_procs(children, timeout=30)
        assert alive == []
