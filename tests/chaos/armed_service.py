"""A service that dies by SIGKILL at a point that is named while it runs.

Its words: FOLDER SERVICE, and what `python -m services.{service}` takes. The file
`doom` in the folder names the point; the first process that comes there removes it and dies, once:

    after LANE          between a lane's commit and the commit of its offsets, or of a request's answer
    before LANE         in the lane's transaction, just before its commit
    publish RELAY       before the acknowledgement of a relay's batch
    advance RELAY       between the acknowledgement of a relay's batch and its cursor
    rebalance LANE      while a lane lets go of its partitions

The program under test has no such switch. Leases and sessions are short, so that a death is noticed soon; a
process that finds the file `patient` at its start keeps those of production.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import shared.bus.kafka.source
import shared.bus.relay
from shared.bus.kafka.source import KafkaSource
from shared.bus.relay import Relay
from shared.database import Database
from tests.chaos.doom import Doom

SESSION_WAIT_S = 2.0
LEASE_S = 2.0


class Armed(Doom):
    """Doom that is looked up in a file at each point."""

    def __init__(self, folder: Path) -> None:
        super().__init__("", "", 1, self._die)
        self._order = folder / "doom"

    def strike_at(self, *points: str) -> None:
        """Die here if the file names one of `points`."""
        try:
            if self._order.read_text("utf-8") not in points:
                return
            self._order.unlink()  # one process alone gets beyond this
        except FileNotFoundError:
            return
        self._die()

    def _pass(self, side: str, lanes: list[str]) -> None:
        self.strike_at(*(f"{side} {lane}" for lane in lanes))

    @staticmethod
    def _die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def arm(doom: Armed) -> None:
    """Put doom upon every point."""
    Database.session = doom.upon(Database.session)  # type: ignore[assignment]
    advance, let_go = Relay._advance, KafkaSource.let_go
    acknowledged = Relay._acknowledged

    async def acknowledged_or_die(relay: Relay, acknowledgements: Any) -> None:
        doom.strike_at(f"publish {relay.name}")
        await acknowledged(relay, acknowledgements)

    async def advance_or_die(relay: Relay, position: int) -> None:
        doom.strike_at(f"advance {relay.name}")
        await advance(relay, position)

    async def let_go_or_die(source: KafkaSource, revoked: Iterable[Any]) -> None:
        partitions = list(revoked)
        if partitions:
            doom.strike_at(f"rebalance {source._consumer}")
        await let_go(source, partitions)

    Relay._acknowledged = acknowledged_or_die  # type: ignore[method-assign]
    Relay._advance = advance_or_die  # type: ignore[method-assign]
    KafkaSource.let_go = let_go_or_die  # type: ignore[method-assign]


def hurry() -> None:
    """Let whoever is silent for a moment lose its place."""
    shared.bus.kafka.source.SESSION_WAIT_S = SESSION_WAIT_S
    shared.bus.relay.LEASE_S = LEASE_S


if __name__ == "__main__":
    _, folder, service, *words = sys.argv
    arm(Armed(Path(folder)))
    if not (Path(folder) / "patient").exists():
        hurry()
    sys.argv = [f"services.{service}", *words]
    runpy.run_module(f"services.{service}", run_name="__main__")
