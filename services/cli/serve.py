"""`microcred serve`: the same world as the demo's, kept up, with its data in a folder."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from services.cli.running import DEFAULT_FOLDER, run
from services.cli.running import console as plain_console
from services.cli.worlds import Bus, BusOption, opened
from services.configuration import variable_names
from services.demo.provider import Provider
from services.demo.sample import (
    SampleIssuer,
    issuer_settings,
    sample_achievement,
    sample_assessment,
    sample_issuer,
)
from services.receivers import Mailbox
from services.world import World
from services.world_folder import kept_port
from shared.collector import spare_the_living
from shared.errors import Conflict
from shared.program import until_stopped
from shared.settings import KafkaSettings
from shared.telemetry import configure_logging

PORT = 8080
KNOWN_WAIT_S = 30.0
JSON_SENT = "-H 'Content-Type: application/json'"


def serve(
    data: Annotated[
        Path, typer.Option(help="Folder of the database, the master key and the mails. Made if missing.")
    ] = DEFAULT_FOLDER,
    port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65_535,
            help=f"Port on 127.0.0.1, for a new folder; {PORT} without it. Signed documents name it: a folder"
            " keeps its port.",
            show_default=False,
        ),
    ] = None,
    bus: BusOption = Bus.LOCAL,
) -> None:
    """Keep a development world up until Ctrl-C: embedded PostgreSQL and all four services.

    Prints the addresses, a development key and three curl lines that work when pasted. The data survives
    restarts. Mails are not sent to anyone: they are kept as files in the folder `mail`.
    """
    configure_logging("WARNING")
    run(_serve(plain_console(), bus, data, port))


def port_of(data: Path, wanted: int | None) -> int:
    """Return the port of the world in `data`. Raises Conflict where another is wanted than the one it has."""
    kept = kept_port(data)
    if kept is not None and wanted not in (None, kept):
        message = f"What was signed in {data} names port {kept}: leave --port out, or choose another folder."
        raise Conflict("port-kept", message)
    return kept or wanted or PORT


async def _serve(console: Console, bus: Bus, data: Path, wanted: int | None) -> None:
    port = port_of(data, wanted)
    console.print(f"Starting; data in {data}/ …")
    async with AsyncExitStack() as stack:
        await asyncio.to_thread(data.mkdir, parents=True, exist_ok=True, mode=0o700)
        mailbox = await stack.enter_async_context(Mailbox(data / "mail"))
        settings = mailbox.settings() | _named_cluster()
        world = await stack.enter_async_context(opened(bus, data, port, settings, console.print))
        issuer = await sample_issuer(issuer_settings(world.folder), world.folder)
        definition, achievement_id = sample_achievement()
        async with Provider(world.address, issuer.token) as provider:
            await provider.until_known()
            await provider.publish_achievement(definition, achievement_id)
        # The printed lines are pasted into a curl that asks once: what they name has to be known by then.
        # What was being delivered when an earlier run was killed comes later.
        await world.settled(KNOWN_WAIT_S, outward=False)
        spare_the_living()
        _print_addresses(console, world, issuer, achievement_id, data)
        await until_stopped()
        console.print("Stopping …")


def _named_cluster() -> dict[str, str]:
    """Return the settings of Kafka in this process's variables: a broker that is named is not started."""
    known = variable_names(KafkaSettings).values()
    return {name: os.environ[name] for name in known if name in os.environ}


def _print_addresses(
    console: Console, world: World, issuer: SampleIssuer, achievement_id: str, data: Path
) -> None:
    for name in world.settings:
        console.print(f"  {name:<9} {world.address}/{name}/docs")
    console.print(f"  public    {world.address}/docs")
    console.print(f"  profile   {world.address}/issuers/{issuer.slug}")
    for name, address in world.metrics():
        console.print(f"  {name:<9} {address}")
    console.print(f"  mails     {data}/mail/")
    console.print(f"\nDevelopment key of {issuer.slug}, good on this machine only:\n  {issuer.token}")
    console.print(
        "The lines below do not contain the key: curl reads it from a file, since every user of a machine can"
        " see the arguments of a running command.",
        soft_wrap=True,
    )
    assessment = sample_assessment(achievement_id)
    identifier = assessment["assessment_id"]
    console.print("\nSubmit an assessment; a credential follows within a second:")
    body = json.dumps(assessment, ensure_ascii=False)
    _curl(console, issuer, f"{JSON_SENT} -X POST {world.address}/assessor/assessments -d '{body}'")
    console.print("Which credential came of it:")
    _curl(console, issuer, f"'{world.address}/issuer/credentials?assessment_id={identifier}'")
    console.print("Fetch that credential as anybody with its link, and have it verified:")
    _curl(
        console,
        issuer,
        f"'{world.address}/issuer/credentials?assessment_id={identifier}'"
        """ | sed -E 's/.*"url": ?"([^"]+)".*/\\1/' | xargs curl -s"""
        f" | curl -s -X POST {world.address}/verifier/verify --data-binary @-",
    )
    console.print("Ready. Ctrl-C stops it.")


def _curl(console: Console, issuer: SampleIssuer, rest: str) -> None:
    key = shlex.quote(str(issuer.header.resolve()))
    console.print(f"  curl -s -H @{key} {rest}\n", markup=False, soft_wrap=True)
