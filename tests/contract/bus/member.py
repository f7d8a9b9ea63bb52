"""A member in a process of its own, to be killed, paused and cut off: `python -m tests.contract.bus.member`.

Reads {bus, addresses, name, point} as one line of JSON and tells on standard output, a word a line, where
it is. At the named point it ends itself with `kill -9`, or stops itself as a suspended machine would.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence

import shared.bus.consumer
import shared.database
from shared.bus.consumer import Consumer
from shared.bus.seam import Record, Source
from shared.database import Database
from shared.eventstore import Recorded, Session
from tests.contract.bus.buses import KINDS, SHORT_LEASE_S
from tests.contract.bus.rig import Rig

IDLE_IN_TRANSACTION_WAIT_MS = int(SHORT_LEASE_S * 1000)

POINTS = (
    "received",
    "inside the transaction",
    "marked and not committed",
    "committed and not acknowledged",
    "acknowledged",
)
"""Where a member may be killed, in the order in which it passes them."""
PAUSES = ("before the transaction", "in the transaction")


def say(word: str) -> None:
    """Tell the test where this process is."""
    print(word, flush=True)


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


class Watched:
    """A source that passes by the named points and tells when its member was fenced."""

    def __init__(self, source: Source, reach: Callable[[str], None]) -> None:
        self._source = source
        self._reach = reach

    async def poll(self, records_max: int, wait_s: float) -> Sequence[Record]:
        records = await self._source.poll(records_max, wait_s)
        if records:
            self._reach("received")
        return records

    async def mark(self, session: Session, records: Sequence[Record]) -> None:
        self._reach("inside the transaction")
        await self._source.mark(session, records)
        self._reach("marked and not committed")

    async def acknowledge(self, records: Sequence[Record]) -> None:
        self._reach("committed and not acknowledged")
        await self._source.acknowledge(records)
        self._reach("acknowledged")

    async def rewind(self) -> None:
        say("rewound")
        await self._source.rewind()

    async def lag(self) -> int:
        return await self._source.lag()

    async def close(self) -> None:
        await self._source.close()


def pausing_member(rig: Rig, name: str, point: str) -> Consumer:
    """Return a member that says "in hand" at `point` and stands still there, once, until it is continued."""
    told = False

    def pause(reached: str) -> None:
        nonlocal told
        if reached == point and not told:
            told = True
            say("in hand")
            os.kill(os.getpid(), signal.SIGSTOP)

    async def prepare(_: Sequence[Recorded]) -> None:
        pause("before the transaction")

    return rig.member(
        name,
        after=lambda: pause("in the transaction"),
        prepare=prepare,
        source_of=lambda source: Watched(source, lambda _: None),
    )


async def main() -> None:
    """Be the member that standard input describes, until killed."""
    told = json.loads(sys.stdin.readline())
    kind = KINDS[told["bus"]](told["addresses"])
    kind.shorten_leases()
    shared.bus.consumer.POLL_WAIT_S = 0.1
    shared.database.IDLE_IN_TRANSACTION_WAIT_MS = IDLE_IN_TRANSACTION_WAIT_MS
    point = told["point"]
    own = await Database.open(told["addresses"]["issuer"], "issuer")
    producer = await Database.open(told["addresses"]["assessor"], "assessor")
    rig = Rig(producer, own, await kind.open())
    if point in PAUSES:
        member = pausing_member(rig, told["name"], point)
    else:

        def reach(reached: str) -> None:
            if reached == point:
                die()

        member = rig.member(
            told["name"], batch_records_max=4, source_of=lambda source: Watched(source, reach)
        )
    say("running")
    await member.run()


if __name__ == "__main__":
    asyncio.run(main())
