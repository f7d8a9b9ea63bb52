"""One canonicalising worker process, seen from its parent: start it, ask it, kill it.

The process is a fresh interpreter (spawned, never forked) in a session of its own, so that a Ctrl-C at the
terminal reaches the parent alone. It is given the parent's import path and a handful of named environment
variables; settings and secrets stay here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from typing import Final

import orjson

from shared.errors import Invalid
from shared.proofs import worker_process

READY_WAIT_S = 60.0
PROGRAM = "shared.proofs.worker_main"
REPLY_WAIT_S = 30.0  # wall time; a job's own limit is CPU time, so that a busy machine refuses nobody

_ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TZ")


class WorkerDied(Exception):
    """The process ended or was killed. `overran` is true if the job in hand used up its CPU time."""

    def __init__(self, overran: bool) -> None:
        super().__init__("a canonicalising worker died" + " of too long a job" if overran else "")
        self.overran: Final = overran


@dataclass(frozen=True, slots=True)
class Reply:
    """The bytes to sign for each of the proof options of a job, or the refusal; and what it cost."""

    hashes: list[bytes] | Invalid
    cpu_s: float


class WorkerLink:
    """A running worker; made by `start`."""

    def __init__(self, process: Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise ValueError("a worker is spoken to through pipes")
        self._process = process
        self._requests = process.stdin
        self._replies = process.stdout

    @classmethod
    async def start(cls, setup: bytes) -> WorkerLink:
        """A worker that has read `setup` (see worker_process) and is warm. Raises WorkerDied or OSError."""
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # the working directory is no place to import from
            "-m",
            PROGRAM,
            stdin=PIPE,
            stdout=PIPE,
            env=environment,
            start_new_session=True,
        )
        link = cls(process)
        try:
            await link.send([setup])
            await link._receive(READY_WAIT_S)
        except BaseException:
            await link.kill()
            raise
        return link

    @property
    def pid(self) -> int:
        return self._process.pid

    async def send(self, frames: list[bytes]) -> None:
        """Write requests; each is answered by one `reply`, in order."""
        for frame in frames:
            self._requests.write(len(frame).to_bytes(worker_process.LENGTH_BYTES, "big") + frame)
        try:
            await self._requests.drain()
        except OSError as cause:
            raise await self._died() from cause

    async def reply(self) -> Reply:
        """The answer to the oldest unanswered request. Raises WorkerDied, and then the link is of no use."""
        frame = await self._receive(REPLY_WAIT_S)
        kind, cost, body = (
            frame[:1],
            frame[1 : 1 + worker_process.COST_BYTES],
            frame[1 + worker_process.COST_BYTES :],
        )
        cpu_s = int.from_bytes(cost, "big") / 1e6
        if kind == worker_process.HASHED:
            size = worker_process.HASH_BYTES
            return Reply([body[start : start + size] for start in range(0, len(body), size)], cpu_s)
        code, message, reasons = orjson.loads(body)
        return Reply(Invalid(code, message, tuple(reasons)), cpu_s)

    async def kill(self) -> None:
        """End the process now, and wait until it is gone."""
        if self._process.returncode is None:
            self._process.kill()
        self._requests.close()
        await self._process.wait()
        with contextlib.suppress(OSError):  # what was still to be written; nobody else asks how that ended
            await self._requests.wait_closed()

    async def _receive(self, wait_s: float) -> bytes:
        try:
            async with asyncio.timeout(wait_s):
                header = await self._replies.readexactly(worker_process.LENGTH_BYTES)
                return await self._replies.readexactly(int.from_bytes(header, "big"))
        except (asyncio.IncompleteReadError, OSError) as cause:  # TimeoutError is an OSError
            raise await self._died() from cause

    async def _died(self) -> WorkerDied:
        if self._replies.at_eof():  # it ended by itself: let it, so that its exit says why
            try:
                async with asyncio.timeout(REPLY_WAIT_S):
                    await self._process.wait()
            except TimeoutError:
                pass
        await self.kill()
        return WorkerDied(overran=self._process.returncode == -signal.SIGPROF)
