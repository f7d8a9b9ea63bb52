"""`microcred issuers`: the tenants."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pydantic
import typer

from services.cli.running import Folder, console, database_of, run, service_settings, table
from services.issuer.handlers.tenants import IssuerView, create_issuer, list_issuers
from services.issuer.settings import IssuerSettings
from shared.contracts.issuers import IssuerProfile
from shared.errors import Invalid
from shared.refusals import reasons_of

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


@app.command("list")
def show_all(data: Folder = None) -> None:
    """List the issuers."""
    issuers = table("slug", "did", "profile version")
    for view in run(_list(data)):
        issuers.add_row(view.slug, view.did, str(view.profile_version))
    console().print(issuers)


async def _create(slug: str, fields: dict[str, str | None], data: Path | None) -> IssuerView:
    try:
        profile = IssuerProfile.model_validate(fields)
    except pydantic.ValidationError as refusal:
        raise Invalid(
            "profile-invalid", "This profile cannot be published.", reasons_of(refusal.errors())
        ) from None
    settings = service_settings("issuer", IssuerSettings, data)
    async with database_of("issuer", data) as database:
        return await create_issuer(database, settings, slug, profile)


async def _list(data: Path | None) -> list[IssuerView]:
    async with database_of("issuer", data) as database:
        return await list_issuers(database)
