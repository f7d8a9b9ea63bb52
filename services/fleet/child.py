"""One process of the fleet: started under the guard, started again when it dies, ended with its parent.

The guard (shared/embedded/guard.py) holds a pipe to this program: when that closes, by a stop or by
`kill -9`, it ends the process in order. What the process says goes to a file.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx2
import structlog

from shared.embedded import guard
from shared.embedded.ports import HOST
from shared.embedded.processes import children
from shared.embedded.server import last_lines
from shared.loopback import loopback_client
from shared.program import EXIT_REFUSED

RESTART_WAIT_S = 0.3
ASK_WAIT_S = 5.0
LOG_BYTES_MAX = 16 * 1024 * 1024
"""A longer log is set aside at the next start; the one set aside before it goes."""

logger = structlog.get_logger(__name__)


class Child:
    """A process and its successors, until `stop`. It is never started again once it refused its settings."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], port: int, log: Path
    ) -> None:
        self.name = name
        self.address = f"http://{HOST}:{port}"
        self.port = port
        self.refusal: str | None = None
        """Why it refused to start: its own sentence."""
        self._command = list(command)
        self._environment = dict(environment)
        self._log = log
        self._said_before = 0
        self._keeper: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the process, and keep one running from now on."""
        self._task = asyncio.create_task(self._keep(), name=self.name)

    @property
    def pid(self) -> int | None:
        """The process id of the service itself; None while none runs."""
        if self._keeper is None or self._keeper.returncode is not None:
            return None
        return next(iter(children(self._keeper.pid)), None)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the service itself: a test kills, stops and continues it so."""
        pid = self.pid
        if pid is None:
            raise ProcessLookupError(f"{self.name} does not run")
        os.kill(pid, number)

    async def problem(self) -> str | None:
        """Return why it is not ready, as far as it can be told; None where it is."""
        if self.refusal is not None:
            return self.refusal
        try:
            async with loopback_client(timeout=ASK_WAIT_S) as http:
                answer = await http.get(f"{self.address}/health/ready")
        except httpx2.HTTPError:
            return "does not answer"
        if answer.status_code == 200:
            return None
        told: dict[str, str] = answer.json().get("problems", {})
        return "; ".join(f"{lane}: {problem}" for lane, problem in told.items()) or "is not ready"

    def last_words(self) -> str:
        """Return the end of what this run of the process said."""
        try:
            return last_lines(self._log.read_bytes()[self._said_before :])
        except OSError:
            return ""

    async def stop(self) -> None:
        """End the process in order and wait until it is gone; bounded, and twice is harmless."""
        self._stopping = True
        if self._keeper is not None and self._keeper.stdin is not None:
            self._keeper.stdin.close()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=guard.STOP_WAIT_S_MAX)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self) -> None:
        while not self._stopping:
            code = await self._run_once()
            if self._stopping:
                return
            if code == EXIT_REFUSED:
                self.refusal = _sentence(self.last_words())
                logger.error("a process refused to start", process=self.name, problem=self.refusal)
                return
            logger.warning("a process ended and is started again", process=self.name, code=code)
            await asyncio.sleep(RESTART_WAIT_S)

    async def _run_once(self) -> int:
        if self._log.exists() and self._log.stat().st_size > LOG_BYTES_MAX:
            self._log.replace(self._log.with_suffix(".log.1"))
        with self._log.open("ab") as log:
            self._said_before = log.tell()
            keeper = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", guard.__file__, *self._command),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,  # Ctrl-C reaches this program first
            )
        self._keeper = keeper
        try:
            if self._stopping and keeper.stdin is not None:
                keeper.stdin.close()
            return await keeper.wait()
        finally:
            if keeper.returncode is None and keeper.stdin is not None:
                keeper.stdin.close()


def _sentence(said: str) -> str:
    """Return the problem in the last line of a log, or all of it."""
    with contextlib.suppress(ValueError, IndexError, KeyError, TypeError):
        return str(json.loads(said.splitlines()[-1])["problem"])
    return said
