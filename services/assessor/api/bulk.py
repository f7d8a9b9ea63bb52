"""Bulk intake: rows stream in, one result a row streams out, in the order of the rows.

A bounded number of rows is in flight; each is asked of the same Batcher as a single submission, which takes
turns between tenants. Results are written while rows are still being read. A caller who reads nothing before
everything is sent is given UNSENT_BYTES_MAX of patience: results wait here while rows are still taken in, and
past that the body is no longer read until the caller reads.

What ends the reading early (too many rows, too many bytes, a body that stalls) is the last line of the
answer; the rows above it are settled. A caller who hangs up loses only the answer: sending it all again is
safe, since every row is idempotent.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from services.assessor.api.lines import LineCutter
from services.assessor.api.rows import RowReader
from services.assessor.api.submission import SubmissionBody
from services.assessor.handlers.submission import Answer, Submission
from shared.errors import Invalid, MicrocredError, Oversized, Rejected, TooMany, Unavailable
from shared.eventstore import Meta
from shared.http import problem_fields
from shared.limits import RateLimit
from shared.telemetry import safe_traceback

BODY_BYTES_MAX = 64 << 20
UNSENT_BYTES_MAX = 16 << 20
CHUNK_WAIT_S = 30.0
TOKEN_WAIT_S_MAX = 5.0
BULKS_MAX = 4
"""With BULKS_MAX · rows_in_flight_max below the Batcher's backlog, single submissions always find room."""
BULKS_PER_TENANT_MAX = 2
BULKS_RETRY_S = 5.0

INTERNAL: Final = {
    "type": "urn:microcred:problem:internal",
    "status": 500,
    "code": "internal",
    "title": "The row failed for a fault of the service; the log has the details.",
}

Ask = Callable[[str, Submission], Awaitable[Answer]]

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BulkLimits:
    """How much of a bulk body is taken, and how long.

    A row costs its API key a `1 / rows_per_token` of a request. A row that is unavailable (its achievement
    was published a moment ago, the database is away) is asked again after what it says, at most
    `retry_wait_s_max`. Once no row of the body got another answer for `unavailable_wait_s_max`, rows are
    answered 503, until one does.
    """

    line_bytes_max: int = 64 << 10
    rows_max: int = 100_000
    rows_in_flight_max: int = 1_000
    rows_per_token: int = 50
    retry_wait_s_max: float = 2.0
    unavailable_wait_s_max: float = 60.0


@dataclass(frozen=True, slots=True)
class Bulk:
    """What a bulk request is: whose it is, and how its rows are to be read."""

    issuer_id: str
    api_key: str
    meta: Meta
    reader: RowReader


class Intake:
    """Takes bulk bodies; there is one for the process."""

    def __init__(self, ask: Ask, rate: RateLimit, limits: BulkLimits) -> None:
        self._ask = ask
        self._rate = rate
        self._limits = limits
        self._running: list[str] = []

    async def take(self, bulk: Bulk, body: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        """Yield the answer to a bulk body: NDJSON, in pieces that end with a line.

        Raises TooMany before the first piece when too many are being taken, and what ends the body before its
        first row.
        """
        mine = self._running.count(bulk.issuer_id)
        if len(self._running) >= BULKS_MAX or mine >= BULKS_PER_TENANT_MAX:
            raise TooMany("Too many bulk submissions at once; send again.", retry_after_s=BULKS_RETRY_S)
        self._running.append(bulk.issuer_id)
        try:
            async with aclosing(
                _Stream(bulk, body, self._ask, self._rate, self._limits).results()
            ) as results:
                async for chunk in results:
                    yield chunk
        finally:
            self._running.remove(bulk.issuer_id)


class _Stream:
    """One bulk body on its way through."""

    def __init__(
        self, bulk: Bulk, body: AsyncIterator[bytes], ask: Ask, rate: RateLimit, limits: BulkLimits
    ) -> None:
        self._bulk = bulk
        self._body = body
        self._ask = ask
        self._rate = rate
        self._limits = limits
        self._pending: deque[asyncio.Future[bytes]] = deque()
        self._in_flight = asyncio.Semaphore(limits.rows_in_flight_max)
        self._moved = asyncio.Event()
        self._unsent_bytes = 0
        self._sent = asyncio.Event()
        self._line = 0
        self._rows = 0
        self._deaf = False
        self._ended = False
        self._unavailable_since: float | None = None

    async def results(self) -> AsyncGenerator[bytes]:
        """Yield results in the order of the rows, as many at once as are there."""
        reading = asyncio.create_task(self._read_all(), name="bulk intake")
        try:
            while chunk := await self._next_results():
                yield chunk
            await reading
        finally:
            reading.cancel()
            for row in self._pending:
                row.cancel()
            await asyncio.gather(reading, *self._pending, return_exceptions=True)

    async def _next_results(self) -> bytes:
        while not self._pending and not self._ended:
            self._moved.clear()
            await self._moved.wait()
        if not self._pending:
            return b""
        await asyncio.wait([self._pending[0]])
        lines = []
        while self._pending and self._pending[0].done():
            lines.append(self._pending.popleft().result())
        chunk = b"".join(lines)
        self._unsent_bytes -= len(chunk)
        self._sent.set()
        return chunk

    async def _read_all(self) -> None:
        """Read the body to its end; what ends it early becomes the last line of the answer."""
        try:
            await self._read_rows()
        except ClientDisconnect:
            logger.info("bulk caller hung up", rows=self._rows)
        except HTTPException:
            # The envelope's body limit, which FastAPI needs to see as this type.
            if not self._line:
                raise
            self._report(Oversized("body-too-large", "The body is too large; nothing from here on was read."))
        except TimeoutError:
            self._report(Invalid("body-stalled", "The body stalled; nothing from here on was read."))
        finally:
            self._ended = True
            self._moved.set()

    async def _read_rows(self) -> None:
        cutter = LineCutter(self._limits.line_bytes_max)
        while True:
            async with asyncio.timeout(CHUNK_WAIT_S):
                chunk = await anext(self._body, None)
            lines = cutter.close() if chunk is None else cutter.feed(chunk)
            for number, line in lines:
                if not self._deaf:
                    self._line = number
                    await self._take_line(line)
            if chunk is None:
                return

    async def _take_line(self, line: bytes | None) -> None:
        if self._rows >= self._limits.rows_max:
            self._deaf = True
            message = (
                f"A bulk submission may hold {self._limits.rows_max} rows; this and later ones were not read."
            )
            return self._report(Oversized("rows-too-many", message))
        await self._wait_for_reader()
        reader = self._bulk.reader
        try:
            body = self._read(line)
        except Invalid as fault:
            self._report(fault, reader.assessment_id(line) if line is not None else None)
        else:
            if body is None:
                return None
            await self._start(body)
        self._deaf = reader.done
        self._rows += 1
        if self._rows % self._limits.rows_per_token == 0:
            await self._pay()
        return None

    def _read(self, line: bytes | None) -> SubmissionBody | None:
        if line is None:
            message = f"A row may hold {self._limits.line_bytes_max} bytes at most."
            raise Invalid("row-too-long", message)
        return self._bulk.reader.read(line)

    async def _start(self, body: SubmissionBody) -> None:
        """Ask about a row as soon as there is room for one more."""
        await self._in_flight.acquire()
        self._pending.append(asyncio.create_task(self._row(self._line, body)))
        self._moved.set()

    async def _wait_for_reader(self) -> None:
        """Take in nothing more while too many results wait for a caller who does not read."""
        while self._unsent_bytes > UNSENT_BYTES_MAX:
            self._sent.clear()
            await self._sent.wait()

    async def _pay(self) -> None:
        """Spend one request of the API key's rate limit, waiting for it rather than refusing rows."""
        while True:
            try:
                return self._rate.spend(self._bulk.api_key)
            except TooMany as later:
                await asyncio.sleep(min(later.retry_after_s, TOKEN_WAIT_S_MAX))

    async def _row(self, number: int, body: SubmissionBody) -> bytes:
        fields: dict[str, Any] = {"line": number, "assessment_id": body.assessment_id}
        try:
            answer = await self._asked(Submission(body.command(self._bulk.issuer_id), self._bulk.meta))
        except MicrocredError as refusal:
            fields |= {"outcome": "rejected", "problem": problem_fields(refusal)}
        except Exception as bug:
            # One row's fault must not cut off the answers to the others.
            logger.error("bulk row failed", error=safe_traceback(bug))
            fields |= {"outcome": "rejected", "problem": INTERNAL}
        else:
            fields |= {"outcome": _outcome(answer), "score_percent": answer.score_percent}
        finally:
            self._in_flight.release()
        return self._result(fields)

    async def _asked(self, submission: Submission) -> Answer:
        """Ask about a row, waiting with all the others while nothing of this body can be answered."""
        while True:
            try:
                answer = await self._ask(self._bulk.issuer_id, submission)
            except Unavailable as later:
                wait_s = min(later.retry_after_s, self._limits.retry_wait_s_max)
                now = time.monotonic()
                if self._unavailable_since is None:
                    self._unavailable_since = now
                if now + wait_s > self._unavailable_since + self._limits.unavailable_wait_s_max:
                    raise
                await asyncio.sleep(wait_s)
            except Rejected:
                self._unavailable_since = None
                raise
            else:
                self._unavailable_since = None
                return answer

    def _report(self, fault: MicrocredError, assessment_id: str | None = None) -> None:
        """Answer the line in hand with a fault."""
        known = {} if assessment_id is None else {"assessment_id": assessment_id}
        settled: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        settled.set_result(
            self._result(
                {"line": self._line, **known, "outcome": "rejected", "problem": problem_fields(fault)}
            )
        )
        self._pending.append(settled)
        self._moved.set()

    def _result(self, fields: Mapping[str, Any]) -> bytes:
        line = orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)
        self._unsent_bytes += len(line)
        return line


def _outcome(answer: Answer) -> str:
    if answer.repeated:
        return "duplicate"
    return "passed" if answer.passed else "failed"
