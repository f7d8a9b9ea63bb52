"""Documents from strangers' servers: DID documents and status lists, fetched once and kept for a while.

Every address here was chosen by whoever wrote a credential, so all requests go through the guarded client
(shared/outbound.py), and one verification may cause only a few of them. Copies are bounded in number, size
and age; failures are kept too, for a moment, so that a flood of verifications is not one of requests.

Never raises for what a server does: an answer that is not to be had is an Objection that says why.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter

from services.verifier.domain.facts import Objection
from services.verifier.examination.objections import unknown
from shared.errors import Invalid, Oversized
from shared.outbound import OutboundClient, OutboundFailure, OutboundLimits

LIMITS: Final = OutboundLimits(connect_wait_s=3.0, total_wait_s=6.0, host_wait_s=6.0, host_requests_max=8)
"""Shorter than for a delivery: somebody waits for the verdict."""
FETCHES_PER_VERIFICATION_MAX: Final = 3
COPIES_MAX: Final = 2_048
COPIES_BYTES_MAX: Final = 64 << 20
FAILURE_KEPT_S: Final = 30.0

FETCHES = Counter("microcred_verifier_fetches_total", "Documents fetched from other servers", ["outcome"])

_FAILURES: Mapping[str, str] = {
    "unreachable": "its server could not be reached",
    "insecure": "its server could not be reached securely",
    "timed-out": "its server did not answer in time",
    "host-busy": "too many other verifications wait for its server",
    "response-malformed": "its server's answer cannot be read",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A document to be fetched: how it is asked for, what it is called, and how long a copy of it is good.

    `code` is our error code for its absence, `name` the subject of the sentence that tells it, `kept_s` gives
    the seconds for which a copy with these bytes may be kept.
    """

    accept: str
    code: str
    name: str
    kept_s: Callable[[bytes], float]


@dataclass(frozen=True, slots=True)
class _Copy:
    answer: bytes | Objection
    fetched_at: float
    good_until: float

    @property
    def size(self) -> int:
        return len(self.answer) if isinstance(self.answer, bytes) else 0


class Fetcher:
    """Fetches for all verifications of a process, and keeps the copies."""

    def __init__(self, client: OutboundClient, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._monotonic = monotonic
        self._copies: OrderedDict[str, _Copy] = OrderedDict()
        self._bytes = 0
        self._under_way: dict[str, asyncio.Task[_Copy]] = {}

    def copy(self, url: str, age_s_max: float = float("inf")) -> bytes | Objection | None:
        """The kept answer of `url` if it is still good and no older than `age_s_max` seconds."""
        kept, now = self._copies.get(url), self._monotonic()
        if kept is None or now >= kept.good_until or now - kept.fetched_at > age_s_max:
            return None
        self._copies.move_to_end(url)
        return kept.answer

    async def fetch(self, url: str, wanted: Wanted) -> bytes | Objection:
        """Fetch `url` now; whoever asks while that is under way shares the answer."""
        task = self._under_way.get(url)
        if task is None:
            task = asyncio.create_task(self._fetch(url, wanted))
            self._under_way[url] = task
            task.add_done_callback(lambda _: self._under_way.pop(url, None))
        # One who goes away must not take the answer from the others.
        return (await asyncio.shield(task)).answer

    async def _fetch(self, url: str, wanted: Wanted) -> _Copy:
        answer = await self._get(url, wanted)
        FETCHES.labels("fetched" if isinstance(answer, bytes) else "failed").inc()
        now = self._monotonic()
        kept_s = wanted.kept_s(answer) if isinstance(answer, bytes) else FAILURE_KEPT_S
        copy = _Copy(answer, now, now + kept_s)
        self._keep(url, copy)
        return copy

    async def _get(self, url: str, wanted: Wanted) -> bytes | Objection:
        try:
            response = await self._client.request("GET", url, {"Accept": wanted.accept}, b"")
        except Invalid:
            return _missing(wanted, "it stands at an address that may not be called")
        except Oversized:
            return _missing(wanted, "it is larger than is read")
        except OutboundFailure as failure:
            return _missing(wanted, _FAILURES[failure.code])
        if response.status != 200:
            return _missing(wanted, f"its server answers {response.status}")
        return response.body

    def _keep(self, url: str, copy: _Copy) -> None:
        replaced = self._copies.pop(url, None)
        self._bytes += copy.size - (replaced.size if replaced is not None else 0)
        self._copies[url] = copy
        while len(self._copies) > COPIES_MAX or self._bytes > COPIES_BYTES_MAX:
            _, oldest = self._copies.popitem(last=False)
            self._bytes -= oldest.size


class Errand:
    """What one verification may fetch: FETCHES_PER_VERIFICATION_MAX documents, besides those kept already."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._left = FETCHES_PER_VERIFICATION_MAX

    async def get(self, url: str, wanted: Wanted, age_s_max: float = float("inf")) -> bytes | Objection:
        """The document at `url`, from a copy no older than `age_s_max` seconds or else from its server."""
        kept = self._fetcher.copy(url, age_s_max)
        if kept is not None:
            return kept
        if self._left == 0:
            return _missing(wanted, "the credential names more addresses than are looked up")
        self._left -= 1
        return await self._fetcher.fetch(url, wanted)


def _missing(wanted: Wanted, why: str) -> Objection:
    return unknown(wanted.code, f"{wanted.name} could not be fetched: {why}.")
