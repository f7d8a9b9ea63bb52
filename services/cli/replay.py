"""`microcred replay`: build a service's read models again from the events. Nobody is told anything."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer

from services import SERVICES
from services.cli.running import Folder, console, environment_of, run
from services.configuration import settings_from
from shared.errors import Invalid

Service = Annotated[str, typer.Argument(help=f"One of {', '.join(SERVICES)}.")]


def replay(service: Service, data: Folder = None) -> None:
    """Build the read models of a service again from its events, with the same code as live.

    It may run beside the services: writers wait until it is done. Mails and webhooks are never sent again:
    deliveries are not part of a read model.
    """
    console().print(run(_replay(service, data)), soft_wrap=True)


async def _replay(service: str, data: Path | None) -> str:
    if service not in SERVICES:
        raise Invalid("service-unknown", f"No service is called {service}; there are {', '.join(SERVICES)}.")
    module = importlib.import_module(f"{SERVICES[service]}.replay")
    rebuilt: str = await module.replay(settings_from(service, environment_of(data)))
    return rebuilt
