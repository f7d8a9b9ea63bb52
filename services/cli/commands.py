"""The commands of `microcred`: run a world, operate an installation, verify a credential.

`microcred --help` lists the commands; each one teaches itself with `--help`. Exit codes: 0 done, 1 refused or
invalid, 2 unknown (verify) or unavailable, 64 wrong usage.

A command is a module of its name: of one function of that name, or of an `app` with commands of its own. One
that is named is imported alone, since importing what all of them need takes seconds.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from services.cli import EXIT_INTERRUPTED, EXIT_USAGE

COMMANDS = (
    "demo",
    "serve",
    "verify",
    "bake",
    "replay",
    "republish",
    "settings",
    "issuers",
    "keys",
    "signing-keys",
    "recognised-issuers",
    "dead-letters",
)
"""In the order in which `--help` lists them."""


def app_of(words: Sequence[str]) -> typer.Typer:
    """Return the program with the commands that `words` need."""
    app = typer.Typer(
        name="microcred",
        help="Issues micro-credentials at scale: signed, portable, verifiable by anyone.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_microcred)
    for name in _needed(words[0] if words else ""):
        word = name.replace("-", "_")
        module = importlib.import_module(f"services.cli.{word}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(getattr(module, word))
    return app


def _needed(first: str) -> Sequence[str]:
    """Return the commands without which the word that stands first means something else."""
    if first == "--version":
        return ()
    return (first,) if first in COMMANDS else COMMANDS


def _told_version(asked: bool) -> None:
    if asked:
        typer.echo(f"microcred {version('microcred')}")
        raise typer.Exit


def _microcred(
    asked: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_told_version),
    ] = False,
) -> None:
    """What stands before a command's name."""


def exit_code(app: typer.Typer) -> int:
    """Run the command that the arguments name; returns the exit code."""
    try:
        code = app(standalone_mode=False)
    except typer.TyperException as misuse:
        show = getattr(misuse, "show", None)
        if show is not None:
            show()
        return EXIT_USAGE
    except typer.Abort:
        return EXIT_INTERRUPTED
    return code if isinstance(code, int) else 0
