"""Opens the world of `demo` and `serve` on the bus that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from services.fleet.world import open_fleet
from services.world import World, open_world


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


def opened(
    bus: Bus, folder: Path, port: int, overrides: Mapping[str, str], say: Callable[[str], None]
) -> AbstractAsyncContextManager[World]:
    """Return the world of `folder` on `bus`, not yet started; `say` is told what takes long."""
    if bus is Bus.KAFKA:
        return open_fleet(folder, port, overrides, say=say)
    return open_world(folder, port, overrides)
