"""The commands of `microcred`: run a world, operate an installation, verify a credential.

`microcred --help` lists the commands; each one teaches itself with `--help`. Exit codes: 0 done, 1 refused or
invalid, 2 unknown (verify) or unavailable, 64 wrong usage.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from services.cli import (
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    bake,
    dead_letters,
    demo,
    issuers,
    keys,
    recognised_issuers,
    replay,
    republish,
    serve,
    settings,
    signing_keys,
    verify,
)

app = typer.Typer(
    name="microcred",
    help="Issues micro-credentials at scale: signed, portable, verifiable by anyone.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("verify")(verify.verify)
app.command("bake")(bake.bake)
app.command("replay")(replay.replay)
app.command("republish")(republish.republish)
app.command("settings")(settings.settings)
app.add_typer(issuers.app, name="issuers")
app.add_typer(keys.app, name="keys")
app.add_typer(signing_keys.app, name="signing-keys")
app.add_typer(recognised_issuers.app, name="recognised-issuers")
app.add_typer(dead_letters.app, name="dead-letters")


def _told_version(asked: bool) -> None:
    if asked:
        typer.echo(f"microcred {version('microcred')}")
        raise typer.Exit


@app.callback()
def _microcred(
    asked: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_told_version),
    ] = False,
) -> None:
    """What stands before a command's name."""


def command() -> int:
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
