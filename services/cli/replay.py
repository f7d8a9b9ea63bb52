"""`microcred replay`: build a service's read models again from the events. Nobody is told anything."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer

from services import SERVICES
from services.cli.running import Folder, console, environment_of, run
from services.configuration import settings_from


def known_service(name: str) -> str:
    """Return the name of a service. Another name is wrong usage, like an unknown command."""
    if name not in SERVICES:
        raise typer.BadParameter(f"No service is called {name}; there are {', '.join(SERVICES)}.")
    return name


Service = Annotated[str, typer.Argument(help=f"One of {', '.join(SERVICES)}.", callback=known_service)]


def replay(service: Service, data: Folder = None) -> None:
    """Build the read models of a service again from its events, with the same code as live.

    It may run beside the services: writers wait until it is done. Mails and webhooks are never sent again:
    deliveries are not part of a read model.
    """
    console().print(run(_replay(service, data)), soft_wrap=True)


async def _replay(service: str, data: Path | None) -> str:
    module = importlib.import_module(f"{SERVICES[service]}.replay")
    rebuilt: str = await module.replay(settings_from(service, environment_of(data)))
    return rebuilt
