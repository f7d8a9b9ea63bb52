"""`microcred demo`: the whole job on 1,000 learners, on a database of its own."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from services.cli.running import console as plain_console
from services.cli.running import run
from services.cli.worlds import Bus, BusOption, opened
from services.demo import leftovers, story
from services.demo.job import MainJob
from services.demo.provider import Provider
from services.demo.report import Report
from services.demo.sample import issuer_settings, sample_achievement, sample_issuer
from services.receivers import Mailbox, PartnerEndpoint
from services.world import World
from shared.embedded import free_port
from shared.telemetry import configure_logging

COHORT = Path("examples/cohort.csv")


def demo(
    cohort: Annotated[
        Path,
        typer.Option(help="CSV of assessments to read.", exists=True, dir_okay=False, readable=True),
    ] = COHORT,
    out: Annotated[
        Path | None,
        typer.Option(help="Leave the documents of the story in this folder.", show_default=False),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the numbers as one line of JSON at the end.")
    ] = False,
    bus: BusOption = Bus.LOCAL,
) -> None:
    """Do the whole job on a made-up cohort and tell the story of one learner.

    Starts an embedded PostgreSQL and all four services, publishes a micro-credential,
    assesses every row of the cohort, issues and signs a credential for each pass, tells learners and a
    partner, then revokes one credential and shows that everybody can see it. All of it lives in a temporary
    folder.
    """
    configure_logging("ERROR")
    console = plain_console(stderr=as_json)
    report = run(_demo(console, bus, cohort, out))
    if as_json:
        typer.echo(report.as_json())


async def _demo(console: Console, bus: Bus, cohort: Path, out: Path | None) -> Report:
    began = time.monotonic()
    await asyncio.to_thread(leftovers.clear)  # a database that was left may take its time to end
    with leftovers.own_folder() as folder:
        if bus is Bus.LOCAL:
            console.print("Starting PostgreSQL, assessor, issuer, verifier and notifier in one process …")
        async with (
            Mailbox(folder / "mail") as mailbox,
            PartnerEndpoint() as partner,
            opened(bus, folder, free_port(), mailbox.settings(), console.print) as world,
        ):
            issuer = await sample_issuer(issuer_settings(world.folder), world.folder)
            async with Provider(world.address, issuer.token) as provider:
                job = await _job(console, world, provider, mailbox, partner, cohort, out)
                report = job.report
    report.seconds = round(time.monotonic() - began, 1)
    if out is not None:
        job.story.documents.write(out)
    story.summary(console, report, job.story, out)
    return report


async def _job(
    console: Console,
    world: World,
    provider: Provider,
    mailbox: Mailbox,
    partner: PartnerEndpoint,
    cohort: Path,
    out: Path | None,
) -> MainJob:
    definition, achievement_id = sample_achievement()
    await provider.until_known()
    await provider.publish_achievement(definition, achievement_id)
    partner.trust(await provider.subscribe(partner.url))
    console.print(
        f"Listening on {world.address}. Published “{definition['name']}”; a partner has subscribed.\n"
    )
    with story.Bars(console) as bars:
        job = MainJob(world, provider, mailbox, partner, bars.show)
        await job.assess(cohort)
        await job.wait_for_credentials()
    story.refused_rows(console, job.story)
    if job.report.passed:
        await job.follow_one_learner()
        story.tell(console, job.story, out)
        story.tell_revocation(console, job.story, job.report)
    return job
