"""`microcred issuers`: the tenants."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli.running import Folder, console, database_of, run, service_settings, table
from services.issuer.domain import profile_of
from services.issuer.handlers.tenants import IssuerView, create_issuer, list_issuers, publish_profile
from services.issuer.settings import IssuerSettings

app = typer.Typer(help="Tenants: who issues credentials here.", no_args_is_help=True, rich_markup_mode=None)


@app.command("create")
def create(
    slug: Annotated[str, typer.Argument(help="Its name in addresses, such as riverside-college. For ever.")],
    name: Annotated[str, typer.Option(help="Its name as people read it.")],
    url: Annotated[str, typer.Option(help="Its website.")],
    email: Annotated[str | None, typer.Option(help="Where people reach it.", show_default=False)] = None,
    description: Annotated[str | None, typer.Option(help="What it is.", show_default=False)] = None,
    country: Annotated[str | None, typer.Option(help="Two letters, such as IE.", show_default=False)] = None,
    data: Folder = None,
) -> None:
    """Create an issuer with its first signing key and its first status list.

    The same again changes nothing. Next: 'microcred keys create SLUG --scope …'.
    """
    fields = {"name": name, "url": url, "email": email, "description": description, "country": country}
    view = run(_create(slug, fields, data))
    done = "Created" if view.created else "Already there:"
    console().print(f"{done} {view.slug}, {view.did}", soft_wrap=True)


@app.command("update")
def update(
    slug: Annotated[str, typer.Argument(help="The issuer's slug.")],
    name: Annotated[str | None, typer.Option(help="Its name.", show_default=False)] = None,
    url: Annotated[str | None, typer.Option(help="Its website.", show_default=False)] = None,
    email: Annotated[str | None, typer.Option(help="Where people reach it.", show_default=False)] = None,
    description: Annotated[str | None, typer.Option(help="What it is.", show_default=False)] = None,
    country: Annotated[str | None, typer.Option(help="Two letters, such as IE.", show_default=False)] = None,
    data: Folder = None,
) -> None:
    """Publish a new version of an issuer's profile. What is not given stays as it is; '' takes it away.

    Credentials issued before keep the profile that they were issued under. The same again changes nothing.
    """
    fields = {"name": name, "url": url, "email": email, "description": description, "country": country}
    changes = {field: value or None for field, value in fields.items() if value is not None}
    if not changes:
        raise typer.BadParameter("Nothing to change: give at least one of --name, --url, --email, …")
    view = run(_update(slug, changes, data))
    console().print(f"{view.slug} shows version {view.profile_version} of its profile.", soft_wrap=True)


@app.command("list")
def show_all(data: Folder = None) -> None:
    """List the issuers."""
    issuers = table("slug", "did", "profile version")
    for view in run(_list(data)):
        issuers.add_row(view.slug, view.did, str(view.profile_version))
    console().print(issuers)


async def _create(slug: str, fields: dict[str, str | None], data: Path | None) -> IssuerView:
    profile = profile_of(fields)
    settings = service_settings("issuer", IssuerSettings, data)
    async with database_of("issuer", data) as database:
        return await create_issuer(database, settings, slug, profile)


async def _update(slug: str, changes: dict[str, str | None], data: Path | None) -> IssuerView:
    async with database_of("issuer", data) as database:
        return await publish_profile(database, slug, changes)


async def _list(data: Path | None) -> list[IssuerView]:
    async with database_of("issuer", data) as database:
        return await list_issuers(database)
