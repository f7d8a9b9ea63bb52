"""`microcred republish`: publish a service's events again, with the same ids, after a broker lost them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services import SERVICES
from services.cli.running import Folder, console, database_of, run
from shared.bus.agreement import topics_of
from shared.bus.relay import set_back
from shared.errors import Invalid

PRODUCERS = tuple(name for name in SERVICES if topics_of(name))

Service = Annotated[str, typer.Argument(help=f"One of {', '.join(PRODUCERS)}.")]


def republish(
    service: Service,
    position: Annotated[
        int,
        typer.Option("--from", min=0, help="The position in its log after which to begin; 0: everything."),
    ],
    data: Folder = None,
) -> None:
    """Have a service's events published again on Kafka, in order and under the same ids.

    It may run beside the services: their relay begins anew within seconds. Whoever has read an event before
    does nothing about it. Do this before the topics are made again (docs/how-to/lost-broker.md).
    """
    events = run(_republish(service, position, data))
    console().print(f"{service}: {events} events will be published again, as soon as Kafka takes them.")


async def _republish(service: str, position: int, data: Path | None) -> int:
    if service not in PRODUCERS:
        message = f"No service called {service} has topics; there are {', '.join(PRODUCERS)}."
        raise Invalid("service-unknown", message)
    async with database_of(service, data) as database:
        return await set_back(database, position)
