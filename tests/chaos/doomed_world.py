"""Runs a world that kills itself at one named point: `python -m tests.chaos.doomed_world SPEC`.

SPEC is JSON: folder, port, overrides (settings as variables), and optionally `doom`: a consumer's name (or
`assessor.submit` and `notifier.courier`, which claim nothing), the side of the commit (`before` or `after`),
and the number of its transaction, from 1. The process ends by SIGKILL, as a power cut would end it.
Prints `listening` once requests are answered.

The program under test has no such switch: this file wraps the one function that opens transactions.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import uvloop

from services.world import open_world
from shared.database import Database
from shared.eventstore import Append, Recorded, Session
from shared.telemetry import configure_logging

UNCLAIMED = {"assessor": "assessor.submit", "notifier": "notifier.courier"}


class Doom:
    """Counts the transactions of one lane and ends the process beside the chosen one."""

    def __init__(self, lane: str, side: str, number: int) -> None:
        self._lane = lane
        self._side = side
        self._left = number

    def install(self) -> None:
        """Wrap Database.session and remember, for each session, which lane works in it."""
        real_session, doom = Database.session, self

        @asynccontextmanager
        async def session(database: Database) -> AsyncIterator[Session]:
            watched: list[str] = []
            async with real_session(database) as inner:
                _watch(inner, database.schema, watched)
                yield inner
                doom.strike("before", watched)
            doom.strike("after", watched)

        Database.session = session  # type: ignore[method-assign]

    def strike(self, side: str, lanes: list[str]) -> None:
        """End the process if this is the moment."""
        if side != self._side or self._lane not in lanes:
            return
        self._left -= 1
        if self._left == 0:
            print("struck", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)


def _watch(session: Session, schema: str, watched: list[str]) -> None:
    claim, append = session.claim, session.append

    async def claim_and_tell(consumer: str, ids: Iterable[UUID]) -> set[UUID]:
        watched.append(consumer)
        return await claim(consumer, ids)

    async def append_and_tell(appends: Iterable[Append]) -> list[Recorded]:
        if not watched and schema in UNCLAIMED:
            watched.append(UNCLAIMED[schema])
        return await append(list(appends))

    session.claim = claim_and_tell  # type: ignore[method-assign]
    session.append = append_and_tell  # type: ignore[method-assign, assignment]


async def main(spec: dict[str, Any]) -> None:
    """Run the world until it is killed."""
    configure_logging("ERROR")
    if "doom" in spec:
        Doom(**spec["doom"]).install()
    async with open_world(Path(spec["folder"]), spec["port"], spec["overrides"]):
        print("listening", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
