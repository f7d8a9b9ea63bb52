"""A process that runs services until told to stop: `python -m services`, or `python -m services.issuer`.

Settings come from the environment (docs/SETTINGS.md). SIGTERM and SIGINT stop it in order. Exit codes: 0
after an orderly stop, 1 for settings that cannot work, 2 when something it needs is away at start, 70 when a
lane hangs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import structlog
import uvloop

from services.starting import running_services, settings_from
from shared.app import application, listening
from shared.collector import spare_the_living
from shared.errors import MicrocredError, Unavailable
from shared.service import EXIT_REFUSED
from shared.telemetry import configure_logging

EXIT_UNAVAILABLE = 2

Result = TypeVar("Result")
logger = structlog.get_logger(__name__)


async def interruptible(work: Coroutine[Any, Any, Result]) -> Result:
    """Run `work`; SIGINT and SIGTERM cancel it, and then KeyboardInterrupt is raised."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for kind in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(kind, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def until_stopped() -> None:
    """Wait until the task is cancelled, and return."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


async def _serve(names: Sequence[str]) -> None:
    settings = {name: settings_from(name, os.environ) for name in names}
    first = next(iter(settings.values()))
    configure_logging(first.log_level)
    async with (
        running_services(settings) as house,
        listening(application(house), first.http_host, first.http_port) as address,
    ):
        spare_the_living()
        logger.info("ready", services=list(names), address=address)
        await until_stopped()
        house.drain()
        await asyncio.sleep(first.drain_wait_s)


def main(names: Sequence[str]) -> None:
    """Run the services `names` in this process and exit."""
    configure_logging()
    try:
        uvloop.run(interruptible(_serve(names)))
    except KeyboardInterrupt:
        sys.exit(0)
    except Unavailable as away:
        logger.error("cannot start", problem=away.message)
        sys.exit(EXIT_UNAVAILABLE)
    except MicrocredError as refusal:
        logger.error("cannot start", problem=str(refusal))
        sys.exit(EXIT_REFUSED)
