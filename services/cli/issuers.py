"""`microcred issuers`: the tenants."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pydantic
import typer
from rich.console import Console
from rich.table import Table

from services.cli.running import Folder, database_of, run, service_settings
from services.issuer.handlers.tenants import IssuerView, create_issuer, list_issuers
from services.issuer.settings import IssuerSettings
from shared.contracts.issuers import IssuerProfile
from shared.errors import Invalid

app = typer.Typer(help="Tenants: who issues credentials here.", no_args_is_help=True)


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
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{'Created' if view.created else 'Already there:'} {view.slug}, {view.did}")


@app.command("list")
def show_all(data: Folder = None) -> None:
    """List the issuers."""
    table = Table("slug", "did", "profile version", expand=True)
    for view in run(_list(data)):
        table.add_row(view.slug, view.did, str(view.profile_version))
    Console().print(table)


async def _create(slug: str, fields: dict[str, str | None], data: Path | None) -> IssuerView:
    try:
        profile = IssuerProfile.model_validate(fields)
    except pydantic.ValidationError as refusal:
        reasons = tuple(f"--{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in refusal.errors())
        raise Invalid("profile-invalid", "This profile cannot be published.", reasons) from None
    settings = service_settings("issuer", IssuerSettings, data)
    async with database_of("issuer", data) as database:
        return await create_issuer(database, settings, slug, profile)


async def _list(data: Path | None) -> list[IssuerView]:
    async with database_of("issuer", data) as database:
        return await list_issuers(database)
