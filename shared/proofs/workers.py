"""Canonicalisation for a whole batch, in processes that can be killed.

`hash_data` takes hundreds of documents at a time, spreads them over the workers and gives back one answer
each, in order: the bytes to sign, or why not. A document that takes too long costs its worker's life and is
refused (`canonicalisation-limit`); the others of its batch go on in a fresh worker. Where a stranger could
wait for that one (`spare`), it is kept warm from the first document on. Callers take turns (turns.py), so
that a single verification does not wait behind a batch of 500, and no client behind another's hundred.

Refuses more waiting documents than `QUEUE_DOCUMENTS_MAX` (Unavailable: later), and than
`CALLER_DOCUMENTS_MAX` of one named caller (TooMany). Never holds a private key.
"""

from __future__ import annotations

import asyncio
import math
import pickle
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import orjson
import structlog

from shared import progress
from shared.errors import Invalid, TooMany, Unavailable
from shared.proofs.strictjson import DOCUMENT_BYTES_MAX, JsonObject
from shared.proofs.suites import SUITES, Suite
from shared.proofs.turns import Turns
from shared.proofs.worker_link import Reply, WorkerDied, WorkerLink

JOB_CPU_S = 0.8
CHUNK_DOCUMENTS_MAX = 16
QUEUE_DOCUMENTS_MAX = 4_096
CALLER_DOCUMENTS_MAX = 256
WORKER_DEATHS_MAX = 2  # deaths for other reasons than the limit, before a document is taken for the cause
RESTART_WAIT_S = 1.0
INLINE_DOCUMENTS_PER_TURN = 32

LIMIT = "canonicalisation-limit"

_REWRITTEN_BYTES_MAX = DOCUMENT_BYTES_MAX + 8_192  # a number may be longer than it was read
_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Job:
    frame: bytes
    answer: asyncio.Future[Reply]
    deaths: int = field(default=0)

    def settle(self, reply: Reply) -> None:
        if not self.answer.done():  # its caller may have gone away
            self.answer.set_result(reply)


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
        spare: bool = False,
    ) -> None:
        offloaded = {name: suite for name, suite in suites.items() if suite.offloaded}
        self._suites = suites
        self._processes = processes if offloaded else 0
        self._setup = pickle.dumps(offloaded)
        self._job_cpu_s = job_cpu_s
        self._queue_documents_max = queue_documents_max
        self._turns: Turns[_Job] = Turns()
        self._arrived = asyncio.Event()
        self._waiting = 0
        self._waiting_of: Counter[str] = Counter()
        self._keeps_spare = spare and self._processes > 0
        self._spare: asyncio.Task[WorkerLink] | None = None
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
        spare, self._spare = self._spare, None
        await _end([spare] if spare is not None else [])
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
        frames = [self._frame(cryptosuite, document, [config]) for document, config in pairs]
        replies = iter(await self._ask(None, [frame for frame in frames if isinstance(frame, bytes)]))
        answers = [next(replies).hashes if isinstance(frame, bytes) else frame for frame in frames]
        return [answer if isinstance(answer, Invalid) else answer[0] for answer in answers]

    async def hash_proofs(
        self,
        cryptosuite: str,
        document: JsonObject,
        configs: Sequence[JsonObject],
        caller: str | None,
        cpu_s: float,
    ) -> tuple[list[bytes] | Invalid, float]:
        """What `hash_data` says for each proof of one document, canonicalised once; and what that cost.

        `cpu_s` is how many seconds of CPU it may take, if that is less than any document may. Raises
        Unavailable, and TooMany if `caller` has too much waiting.
        """
        frame = self._frame(cryptosuite, document, configs, cpu_s)
        if isinstance(frame, Invalid):
            return frame, 0.0
        (reply,) = await self._ask(caller, [frame])
        return reply.hashes, reply.cpu_s

    async def _ask(self, caller: str | None, frames: Sequence[bytes]) -> list[Reply]:
        if not self._tasks or self._waiting + len(frames) > self._queue_documents_max:
            raise Unavailable("The canonicalising workers have more to do than they may queue.")
        if caller is not None and self._waiting_of[caller] + len(frames) > CALLER_DOCUMENTS_MAX:
            raise TooMany("Too many documents of one caller wait to be canonicalised.", retry_after_s=1.0)
        loop = asyncio.get_running_loop()
        jobs = [_Job(frame, loop.create_future()) for frame in frames]
        for job in jobs:
            job.answer.add_done_callback(progress.made)  # in this caller's context, not the worker's
        self._prepare_spare()
        self._count(caller, len(jobs))
        try:
            self._turns.add(caller, jobs)
            self._arrived.set()
            return list(await asyncio.gather(*(job.answer for job in jobs)))
        finally:
            self._count(caller, -len(jobs))

    def _count(self, caller: str | None, jobs: int) -> None:
        self._waiting += jobs
        if caller is not None:
            self._waiting_of[caller] += jobs
            if not self._waiting_of[caller]:
                del self._waiting_of[caller]

    def _frame(
        self,
        cryptosuite: str,
        document: JsonObject,
        configs: Sequence[JsonObject],
        cpu_s: float = math.inf,
    ) -> bytes | Invalid:
        try:
            text = orjson.dumps(document)
            if len(text) > _REWRITTEN_BYTES_MAX:
                return Invalid("json-too-large", f"The document is larger than {DOCUMENT_BYTES_MAX} bytes.")
            limit_s = min(cpu_s, self._job_cpu_s)
            return orjson.dumps((cryptosuite, orjson.Fragment(text), configs, limit_s))
        except orjson.JSONEncodeError:
            return Invalid("not-canonicalisable", "The document holds what JSON cannot write.")

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
                self._turns.first(jobs)  # `close` tells their callers
                raise

    async def _next_jobs(self) -> list[_Job]:
        """Some jobs of the caller whose turn it is; fewer than a chunk, if that keeps all workers busy."""
        while True:
            while not self._turns:
                self._arrived.clear()
                await self._arrived.wait()
            jobs = self._turns.take(self._share)
            if wanted := [job for job in jobs if not job.answer.done()]:
                return wanted

    def _share(self, waiting: int) -> int:
        return min(math.ceil(waiting / self._processes), CHUNK_DOCUMENTS_MAX)

    def _after_death(self, jobs: deque[_Job], death: WorkerDied) -> None:
        """The oldest unanswered job was in hand: refuse it if it is to blame; the others go again, first."""
        _log.warning("canonical worker replaced", overran=death.overran, documents=len(jobs))
        culprit = jobs[0]
        culprit.deaths += 1
        if death.overran or culprit.deaths >= WORKER_DEATHS_MAX:
            culprit.settle(Reply(Invalid(LIMIT, "The document takes too long to canonicalise."), 0.0))
            jobs.popleft()
        if jobs:
            self._turns.first(jobs)
            self._arrived.set()

    async def _replacement(self) -> WorkerLink:
        """The spare, if one is warm, and a new one in its place; else a worker that is started now."""
        while True:
            starting, self._spare = self._spare, None
            try:
                link = await (starting or WorkerLink.start(self._setup))
            except (WorkerDied, OSError) as cause:
                _log.error("canonical worker does not start", error=type(cause).__name__)
                if not self._links:
                    self._fail_waiting()
                await asyncio.sleep(RESTART_WAIT_S)
            else:
                self._prepare_spare()
                return link

    def _prepare_spare(self) -> None:
        if self._keeps_spare and self._spare is None:
            self._spare = asyncio.create_task(WorkerLink.start(self._setup))

    def _fail_waiting(self) -> None:
        for job in self._turns.drain():
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
            progress.made()
            await asyncio.sleep(0)  # others may run
    return answers


async def _end(starting: Sequence[asyncio.Task[WorkerLink]]) -> None:
    """One start failed or was cancelled: end those that are under way or succeeded."""
    for task in starting:
        task.cancel()
    for outcome in await asyncio.gather(*starting, return_exceptions=True):
        if isinstance(outcome, WorkerLink):
            await outcome.kill()
