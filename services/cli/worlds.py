"""Opens the world of `demo` and `serve` on the bus that was asked for, and ends with its PostgreSQL.

A world without its database does nothing but complain. The next start recovers what the server left.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from services.cli.running import console
from services.fleet.world import open_fleet
from services.world import World, open_world
from shared.embedded import Cluster
from shared.program import EXIT_STUCK

CLUSTER_LOOK_EVERY_S = 0.5
WHAT_TO_DO = (
    "Nothing that was committed is lost: 'microcred serve', started again, goes on from there; a demo begins"
    " anew. If it ends here once more, the machine may have too little to spare for it."
)


class Bus(StrEnum):
    """What carries the events."""

    LOCAL = "local"
    KAFKA = "kafka"


BusOption = Annotated[
    Bus,
    typer.Option(
        "--bus",
        help="local: all services in this process, on one PostgreSQL. kafka: every service a process of its"
        " own, and a real Apache Kafka, from Docker or with Java 17 and Maven.",
    ),
]


@asynccontextmanager
async def opened(
    bus: Bus, folder: Path, port: int, overrides: Mapping[str, str], say: Callable[[str], None]
) -> AsyncIterator[World]:
    """Start the world of `folder` on `bus`, and stop it when the block ends; `say` hears what takes long."""
    opening: AbstractAsyncContextManager[World]
    if bus is Bus.KAFKA:
        opening = open_fleet(folder, port, overrides, say=say)
    else:
        opening = open_world(folder, port, overrides)
    async with opening as world:
        world.house.farewell = _tell_end
        watch = asyncio.create_task(_end_with(world.cluster)) if world.cluster else None
        try:
            yield world
        finally:
            if watch is not None:
                watch.cancel()


async def _end_with(cluster: Cluster) -> None:
    """End the program at once when the server of `cluster` has ended: an orderly end would wait for it."""
    while cluster.runs:  # noqa: ASYNC110 - a process that is not ours sets no event
        await asyncio.sleep(CLUSTER_LOOK_EVERY_S)
    _tell_end("The embedded PostgreSQL has ended, and not because this program told it to.")
    os._exit(EXIT_STUCK)


def _tell_end(problem: str) -> None:
    """Say why the program ends at once. Nothing that would put the terminal right runs after this."""
    errors = console(stderr=True)
    errors.show_cursor()
    errors.print(f"\nCannot go on, and ends here. {problem}", style="red", markup=False, soft_wrap=True)
    errors.print(WHAT_TO_DO, markup=False, soft_wrap=True)
