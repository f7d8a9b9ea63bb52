"""A process that runs services until told to stop: `python -m services`, or `python -m services.issuer`.

Settings come from the environment (docs/SETTINGS.md). SIGTERM and SIGINT stop it in order. Exit codes: 0
after an orderly stop, 1 for settings that cannot work, 2 when something it needs is away at start, 70 when a
lane hangs or has ended of a failure.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

import structlog
import uvloop

from services.configuration import settings_from
from services.starting import running_services
from shared.app import application, listening
from shared.collector import spare_the_living
from shared.errors import MicrocredError, Unavailable
from shared.program import EXIT_REFUSED, EXIT_UNAVAILABLE, interruptible, until_stopped
from shared.telemetry import configure_logging

logger = structlog.get_logger(__name__)


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
