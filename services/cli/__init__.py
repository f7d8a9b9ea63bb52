"""The `microcred` command: run a world, operate an installation, verify a credential.

`microcred --help` lists the commands; each one teaches itself with `--help`. Exit codes: 0 done, 1 refused or
invalid, 2 unknown (verify) or unavailable, 64 wrong usage.
"""

from __future__ import annotations

import sys

import typer

from services.cli import (
    dead_letters,
    demo,
    issuers,
    keys,
    recognised_issuers,
    replay,
    serve,
    settings,
    verify,
)
from services.cli.running import EXIT_INTERRUPTED, EXIT_USAGE

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
app.command("replay")(replay.replay)
app.command("settings")(settings.settings)
app.add_typer(issuers.app, name="issuers")
app.add_typer(keys.app, name="keys")
app.add_typer(recognised_issuers.app, name="recognised-issuers")
app.add_typer(dead_letters.app, name="dead-letters")


def main() -> None:
    """Run a command and exit. Wrong usage is 64, so that it is never taken for a verdict."""
    try:
        code = app(standalone_mode=False)
    except typer.TyperException as misuse:
        show = getattr(misuse, "show", None)
        if show is not None:
            show()
        sys.exit(EXIT_USAGE)
    except typer.Abort:
        sys.exit(EXIT_INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)
