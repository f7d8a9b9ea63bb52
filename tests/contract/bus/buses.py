"""What the conformance suite must know of each bus, beyond the seam: how to open it and how to provoke it.

A new bus joins the suite with a class here and its name in KINDS.
"""

from __future__ import annotations

from collections.abc import Mapping

import shared.bus.local
from shared.bus.local import LocalBus
from shared.bus.seam import Bus
from shared.database import Database

SHORT_LEASE_S = 1.0


class LocalKind:
    """The bus that reads the producers' event tables."""

    def __init__(self, dsns: Mapping[str, str]) -> None:
        self._dsns = dsns

    async def open(self) -> Bus:
        """Return the bus as a process of its own would open it."""
        return LocalBus(await Database.open(self._dsns["bus_reader"], "bus_reader"))

    async def deliver_again(self, own: Database, consumer: str) -> None:
        """Make the bus forget how far `consumer` has come; no member may be running."""
        async with own.connection() as connection:
            await connection.execute("UPDATE cursor SET position = 0 WHERE starts_with(name, $1)", consumer)

    @staticmethod
    def shorten_leases() -> None:
        """Let a member that is silent for SHORT_LEASE_S lose its place. For the life of the process."""
        shared.bus.local.LEASE_S = SHORT_LEASE_S


KINDS = {"local": LocalKind}
