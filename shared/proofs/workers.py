"""Canonicalisation for a whole batch, in processes that can be killed.

`hash_data` takes hundreds of documents at a time, spreads them over the workers and gives back one answer
each, in order: the bytes to sign, or why not. A document that takes too long costs its worker's life and is
refused (`canonicalisation-limit`); the others of its batch go on in a fresh worker. Callers take turns, so
that a single verification does not wait behind a batch of 500.

Refuses more waiting documents than `QUEUE_DOCUMENTS_MAX` (Unavailable: later). Never holds a private key.
"""

from __future__ import annotations

import asyncio
import math
import pickle
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import orjson
import structlog

from shared.errors import Invalid, Unavailable
from shared.proofs.strictjson import DOCUMENT_BYTES_MAX, JsonObject
from shared.proofs.suites import SUITES, Suite
from shared.proofs.worker_link import WorkerDied, WorkerLink

JOB_CPU_S = 0.8
CHUNK_DOCUMENTS_MAX = 16
QUEUE_DOCUMENTS_MAX = 4_096
WORKER_DEATHS_MAX = 2  # deaths for other reasons than the limit, before a document is taken for the cause
RESTART_WAIT_S = 1.0
INLINE_DOCUMENTS_PER_TURN = 32

_FRAME_BYTES_MAX = DOCUMENT_BYTES_MAX + 8_192  # the document, and its proof options
_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Job:
    frame: bytes
    answer: asyncio.Future[bytes | Invalid]
    deaths: int = field(default=0)

    def settle(self, answer: bytes | Invalid) -> None:
        if not self.answer.done():  # its caller may have gone away
            self.answer.set_result(answer)


class CanonicalWorkers:
    """`processes` workers for the offloaded ones of `suites`; the others run in the caller's process.

    Use as an async context manager, or `start` and `close`.
    """

    def __init__(
        self,
        processes: int,
        *,
        suites: Mapping[str, Suite] = SUITES,
        job_cpu_s: float = JOB_CPU_S,
        queue_documents_max: int = QUEUE_DOCUMENTS_MAX,
    ) -> None:
        offloaded = {name: suite for name, suite in suites.items() if suite.offloaded}
        self._suites = suites
        self._processes = processes if offloaded else 0
        self._setup = pickle.dumps((offloaded, job_cpu_s))
        self._queue_documents_max = queue_documents_max
        self._calls: deque[deque[_Job]] = deque()
        self._arrived = asyncio.Event()
        self._waiting = 0
        self._links: set[WorkerLink] = set()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start the workers and wait until each is warm; Unavailable if one does not come up."""
        starting = [asyncio.create_task(WorkerLink.start(self._setup)) for _ in range(self._processes)]
        try:
            links = await asyncio.gather(*starting)
        except BaseException as cause:
            await _end(starting)
            if isinstance(cause, (WorkerDied, OSError)):
                raise Unavailable("The canonicalising workers do not start.") from cause
            raise
        self._links = set(links)
        self._tasks = [asyncio.create_task(self._serve(link)) for link in links]

    async def close(self) -> None:
        """Kill the workers; whoever still waits gets Unavailable."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        links, self._links = self._links, set()
        await asyncio.gather(*(link.kill() for link in links))
        self._fail_waiting()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def hash_data(
        self, cryptosuite: str, pairs: Sequence[tuple[JsonObject, JsonObject]]
    ) -> list[bytes | Invalid]:
        """For each (document without proofs, proof options): the 64 bytes to sign, or the refusal.

        Raises Unavailable if the queue is full or the workers are gone, for all of `pairs` at once.
        """
        suite = self._suites[cryptosuite]
        if not suite.offloaded:
            return await _hash_inline(suite, pairs)
        if not self._tasks or self._waiting + len(pairs) > self._queue_documents_max:
            raise Unavailable("The canonicalising workers have more to do than they may queue.")
        frames = [_frame(cryptosuite, *pair) for pair in pairs]
        loop = asyncio.get_running_loop()
        jobs = [_Job(frame, loop.create_future()) for frame in frames if isinstance(frame, bytes)]
        self._waiting += len(jobs)
        try:
            if jobs:
                self._calls.append(deque(jobs))
                self._arrived.set()
            answers = iter(await asyncio.gather(*(job.answer for job in jobs)))
        finally:
            self._waiting -= len(jobs)
        return [next(answers) if isinstance(frame, bytes) else frame for frame in frames]

    async def _serve(self, link: WorkerLink) -> None:
        """The life of one worker and of those that replace it; `close` ends it."""
        while True:
            jobs = deque(await self._next_jobs())
            try:
                await link.send([job.frame for job in jobs])
                while jobs:
                    jobs[0].settle(await link.reply())
                    jobs.popleft()
            except WorkerDied as death:
                self._links.discard(link)
                self._after_death(jobs, death)
                link = await self._replacement()
                self._links.add(link)
            except asyncio.CancelledError:
                self._calls.appendleft(jobs)  # `close` tells their callers
                raise

    async def _next_jobs(self) -> list[_Job]:
        """Some jobs of the caller whose turn it is; fewer than a chunk, if that keeps all workers busy."""
        while True:
            while not self._calls:
                self._arrived.clear()
                await self._arrived.wait()
            call = self._calls.popleft()
            share = math.ceil(len(call) / self._processes)
            jobs = [call.popleft() for _ in range(min(share, CHUNK_DOCUMENTS_MAX))]
            if call:
                self._calls.append(call)
            if wanted := [job for job in jobs if not job.answer.done()]:
                return wanted

    def _after_death(self, jobs: deque[_Job], death: WorkerDied) -> None:
        """The oldest unanswered job was in hand: refuse it if it is to blame; the others go again, first."""
        _log.warning("canonical worker replaced", overran=death.overran, documents=len(jobs))
        culprit = jobs[0]
        culprit.deaths += 1
        if death.overran or culprit.deaths >= WORKER_DEATHS_MAX:
            culprit.settle(Invalid("canonicalisation-limit", "The document takes too long to canonicalise."))
            jobs.popleft()
        if jobs:
            self._calls.appendleft(jobs)
            self._arrived.set()

    async def _replacement(self) -> WorkerLink:
        while True:
            try:
                return await WorkerLink.start(self._setup)
            except (WorkerDied, OSError) as cause:
                _log.error("canonical worker does not start", error=type(cause).__name__)
                if not self._links:
                    self._fail_waiting()
                await asyncio.sleep(RESTART_WAIT_S)

    def _fail_waiting(self) -> None:
        calls, self._calls = self._calls, deque()
        for call in calls:
            for job in call:
                if not job.answer.done():
                    job.answer.set_exception(Unavailable("The canonicalising workers are gone."))


async def _hash_inline(suite: Suite, pairs: Sequence[tuple[JsonObject, JsonObject]]) -> list[bytes | Invalid]:
    answers: list[bytes | Invalid] = []
    for document, proof_config in pairs:
        try:
            answers.append(suite.hash_data(document, proof_config))
        except Invalid as refusal:
            answers.append(refusal)
        if len(answers) % INLINE_DOCUMENTS_PER_TURN == 0:
            await asyncio.sleep(0)  # others may run
    return answers


def _frame(cryptosuite: str, document: JsonObject, proof_config: JsonObject) -> bytes | Invalid:
    try:
        frame = orjson.dumps((cryptosuite, document, proof_config))
    except orjson.JSONEncodeError:
        return Invalid("not-canonicalisable", "The document holds what JSON cannot write.")
    if len(frame) > _FRAME_BYTES_MAX:
        return Invalid("json-too-large", f"The document is larger than {DOCUMENT_BYTES_MAX} bytes.")
    return frame


async def _end(starting: Sequence[asyncio.Task[WorkerLink]]) -> None:
    """One start failed or was cancelled: end those that are under way or succeeded."""
    for task in starting:
        task.cancel()
    for outcome in await asyncio.gather(*starting, return_exceptions=True):
        if isinstance(outcome, WorkerLink):
            await outcome.kill()
