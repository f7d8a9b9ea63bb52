"""`microcred keys`: the API keys of a tenant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from services.cli.running import Folder, console, database_of, run
from services.issuer.handlers.api_keys import KEY_DAYS_MAX, create_api_key, list_api_keys, revoke_api_key
from services.issuer.store import ApiKeyRow
from shared.access import PREFIX_CHARACTERS, NewKey, Scope

LABEL_CHARACTERS_MIN = 8

app = typer.Typer(
    help="API keys: what may be done for a tenant. A key is shown once; only its SHA-256 is stored.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Slug = Annotated[str, typer.Argument(help="The issuer's slug.")]


@app.command("create")
def create(
    slug: Slug,
    scope: Annotated[
        list[Scope],
        typer.Option(
            metavar="SCOPE",
            help=f"What it may do; give it again for each scope. One of {', '.join(Scope)}.",
        ),
    ],
    label: Annotated[str, typer.Option(help="What it is for, such as 'learning platform'.")] = "",
    days: Annotated[int, typer.Option(min=1, max=KEY_DAYS_MAX, help="How long it is good.")] = 365,
    data: Folder = None,
) -> None:
    """Make a key and print it, this once, on standard output."""
    key = run(_create(slug, label, scope, days, data))
    good = "1 day" if days == 1 else f"{days} days"
    console(stderr=True).print(
        f"Key {key.prefix} of {slug}, good for {good}, known to every service within 5 s."
        " Keep it now: it is not stored."
    )
    typer.echo(key.token)


@app.command("list")
def show_all(slug: Slug, data: Folder = None) -> None:
    """List the keys of an issuer, newest first."""
    # What is wider than the terminal is left to the terminal: a prefix that was cut could not be revoked.
    console().print(_listed(run(_list(slug, data))), crop=False)


@app.command("revoke")
def revoke(
    slug: Slug,
    prefix: Annotated[str, typer.Argument(help="The key's eight characters, as 'list' shows them.")],
    data: Folder = None,
) -> None:
    """End a key: every service refuses it within 5 s."""
    run(_revoke(slug, prefix, data))
    console().print(f"Key {prefix} of {slug} is revoked.")


def _listed(keys: Sequence[ApiKeyRow]) -> Table:
    """Return a table in which prefixes, scopes and dates stay whole in any width; labels get the rest."""
    listed = Table(box=None, padding=(0, 2, 1, 0), pad_edge=False)
    listed.add_column("prefix", no_wrap=True, min_width=PREFIX_CHARACTERS)
    listed.add_column("scopes", no_wrap=True, min_width=max(map(len, Scope)))
    listed.add_column("dates", min_width=len("created 2026-01-01"))
    listed.add_column("label", overflow="fold", min_width=LABEL_CHARACTERS_MIN)
    for key in keys:
        dates = [f"created {key.created_at:%Y-%m-%d}", f"expires {key.expires_at:%Y-%m-%d}"]
        if key.revoked_at is not None:
            dates.append(f"revoked {key.revoked_at:%Y-%m-%d %H:%M}")
        listed.add_row(key.prefix, "\n".join(key.scopes), "\n".join(dates), Text(key.label))
    return listed


async def _create(slug: str, label: str, scopes: list[Scope], days: int, data: Path | None) -> NewKey:
    async with database_of("issuer", data) as database:
        return await create_api_key(database, slug, label, scopes, days)


async def _list(slug: str, data: Path | None) -> list[ApiKeyRow]:
    async with database_of("issuer", data) as database:
        return await list_api_keys(database, slug)


async def _revoke(slug: str, prefix: str, data: Path | None) -> None:
    async with database_of("issuer", data) as database:
        await revoke_api_key(database, slug, prefix)
