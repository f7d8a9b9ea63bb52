"""`microcred issuers`: the tenants."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.running import Folder

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
    """Create an issuer with its first signing key and its first status list."""
    raise NotImplementedError


@app.command("list")
def list_issuers(data: Folder = None) -> None:
    """List the issuers."""
    raise NotImplementedError
