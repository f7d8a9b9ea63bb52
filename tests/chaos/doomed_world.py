"""Runs a world that kills itself at one named point: `python -m tests.chaos.doomed_world SPEC`.

SPEC is JSON: folder, port, overrides (settings as variables), and optionally `doom` (tests/chaos/doom.py):
lane, side of the commit and number of its transaction. The process ends by SIGKILL, as a power cut would end
it. Prints `listening` once requests are answered.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import uvloop

from services.world import open_world
from shared.database import Database
from shared.telemetry import configure_logging
from tests.chaos.doom import Doom


def die() -> None:
    """End this process at once, saying so."""
    print("struck", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


async def main(spec: dict[str, Any]) -> None:
    """Run the world until it is killed."""
    configure_logging("ERROR")
    if "doom" in spec:
        Database.session = Doom(**spec["doom"], strike=die).upon(Database.session)  # type: ignore[assignment]
    async with open_world(Path(spec["folder"]), spec["port"], spec["overrides"]):
        print("listening", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
