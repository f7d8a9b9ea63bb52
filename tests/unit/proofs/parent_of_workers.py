"""A program that keeps two workers busy for ever and prints their process ids; its test kills it."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import psutil

from shared.proofs.strictjson import JsonObject
from shared.proofs.workers import CanonicalWorkers
from tests.unit.proofs.nquads_suite import NQuadsSuite


async def main(poison: JsonObject) -> None:
    async with CanonicalWorkers(2, suites={"nquads": NQuadsSuite()}, job_cpu_s=3_600) as workers:
        asking = asyncio.create_task(workers.hash_data("nquads", [(poison, {}), (poison, {})]))
        children = psutil.Process().children()
        print(*(child.pid for child in children), flush=True)
        await asking


if __name__ == "__main__":
    # Tests that were started in the background hand on that Ctrl-C is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    asyncio.run(main({"nquads": Path(sys.argv[1]).read_text("utf-8")}))
