"""What every command shares: running async work, telling errors as sentences, finding the installation."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Coroutine, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import uvloop
from rich.console import Console
from rich.table import Table

from services.cli import EXIT_INTERRUPTED
from services.configuration import settings_from
from services.world_folder import read_environment
from shared.database import Database
from shared.errors import MicrocredError, Rejected, Unavailable
from shared.program import EXIT_REFUSED, EXIT_UNAVAILABLE, interruptible
from shared.settings import Settings

DEFAULT_FOLDER = Path("var/microcred")
OPERATOR = "operator:cli"

Result = TypeVar("Result")
SettingsType = TypeVar("SettingsType", bound=Settings)

Folder = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Folder of a world that 'microcred serve' made. Without it the settings come from the"
        " environment (docs/SETTINGS.md), or else from ./var/microcred.",
        show_default=False,
    ),
]


def console(stderr: bool = False) -> Console:
    """Return a console that prints data as it is: no markup of ours in it, no emoji, no guessed colours."""
    return Console(stderr=stderr, highlight=False, emoji=False)


def table(*columns: str) -> Table:
    """Return a table whose cells are folded rather than cut."""
    made = Table(expand=True)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


@contextmanager
def told() -> Generator[None, None, None]:
    """Turn an error of the house into a sentence on standard error and an exit code."""
    errors = console(stderr=True)
    try:
        yield
    except Rejected as refusal:
        errors.print(refusal.message, style="red", markup=False, soft_wrap=True)
        for reason in refusal.reasons:
            errors.print(f"  - {reason}", markup=False, soft_wrap=True)
        raise typer.Exit(EXIT_REFUSED) from None
    except Unavailable as away:
        errors.print(f"{away.message} Try again in a moment.", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(EXIT_UNAVAILABLE) from None
    except MicrocredError as other:
        errors.print(str(other), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(EXIT_REFUSED) from None
    except KeyboardInterrupt:
        errors.print("Stopped.")
        raise typer.Exit(EXIT_INTERRUPTED) from None


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's work to its end; Ctrl-C and SIGTERM end it in order."""
    with told():
        return uvloop.run(interruptible(work))


def environment_of(folder: Path | None) -> Mapping[str, str]:
    """Return the settings of the installation that a command means."""
    if folder is not None:
        return read_environment(folder)
    if any(name.endswith("_DATABASE_URL") for name in os.environ):
        return os.environ
    return read_environment(DEFAULT_FOLDER)


def service_settings(name: str, kind: type[SettingsType], folder: Path | None) -> SettingsType:
    """Return the settings of one service of the installation that a command means."""
    settings = settings_from(name, environment_of(folder))
    if not isinstance(settings, kind):
        raise TypeError(f"{name} has settings of another kind")
    return settings


@asynccontextmanager
async def database_of(name: str, folder: Path | None) -> AsyncIterator[Database]:
    """Open the database of one service of the installation that a command means."""
    settings: Any = settings_from(name, environment_of(folder))
    try:
        database = await Database.open(settings.database_url.get_secret_value(), name, 2)
    except Unavailable as away:
        message = f"{away.message} If it is the world of 'microcred serve', that must be running."
        raise Unavailable(message) from away
    async with database:
        yield database
