"""Some services in a process of their own, for measuring: `python -m tests.bench.worker PORT NAME…`.

The courier does not run: letters and webhooks are requested and never sent, since receivers in Python would
be what is measured. Prints `ready`; ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import uvloop

from services.configuration import settings_from
from services.starting import build, open_bus
from shared.app import application, listening
from shared.collector import spare_the_living
from shared.proofs.suites import SUITES
from shared.service import Running, running
from shared.telemetry import configure_logging
from tests.bench import null_suite

HOST = "127.0.0.1"


@asynccontextmanager
async def services_at_work(
    environment: Mapping[str, str], names: Sequence[str], lanes: Sequence[str] | None = None
) -> AsyncIterator[Running]:
    """Run the services `names` without their loops; of their lanes only `lanes`, if given.

    `issuer-desk` and `issuer-signer` are the halves of the issuer.
    """
    suites = {**SUITES, **null_suite.SUITES}
    built = []
    for name, half in (each.partition("-")[::2] for each in names):
        settings = settings_from(name, {**environment, "ISSUER_ONLY": half})
        service = await (build(name, settings, suites=suites) if name == "issuer" else build(name, settings))
        kept = tuple(lane for lane in service.subscriptions if lanes is None or lane.name in lanes)
        built.append(replace(service, loops=(), subscriptions=kept))
    async with running(built, await open_bus(settings_from("assessor", environment), built)) as house:
        spare_the_living()
        yield house


async def main(port: int, names: Sequence[str]) -> None:
    """Run until standard input ends; the settings are in the environment."""
    configure_logging("ERROR")
    async with (
        services_at_work(os.environ, names) as house,
        listening(application(house), HOST, port),
    ):
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2:]))
