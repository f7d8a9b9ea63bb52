"""`microcred verify`: check a credential without any server, and say why."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from services.cli import EXIT_USAGE
from services.cli.running import console
from services.verifier.answers import answer_json
from services.verifier.examination.examine import Expected
from services.verifier.examination.opening import INPUT_BYTES_MAX
from services.verifier.offline import EXIT_CODES, verify_file
from services.verifier.panel import verdict_panel
from shared import clock
from shared.errors import Invalid

CREDENTIAL_BYTES_READ_MAX = INPUT_BYTES_MAX + 1


def verify(
    file: Annotated[
        str,
        typer.Argument(help="A credential or presentation: JSON, token, PNG, SVG, or -."),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
    status_list: Annotated[
        Path | None, typer.Option(help="The status list that the credential names.", show_default=False)
    ] = None,
    did_document: Annotated[
        Path | None,
        typer.Option(help="The DID document of the issuer; not needed for did:key.", show_default=False),
    ] = None,
    domain: Annotated[
        str | None, typer.Option(help="For whom a presentation has to be made.", show_default=False)
    ] = None,
    challenge: Annotated[
        str | None, typer.Option(help="The challenge that a presentation has to answer.", show_default=False)
    ] = None,
) -> None:
    """Verify a credential or a presentation offline, check by check: nothing is fetched.

    Exits 0 if it is valid, 1 if invalid, 2 if unknown (such as without its status list), 64 for wrong usage.
    """
    content = _read(file)
    lists = None if status_list is None else _read(str(status_list))
    keys = None if did_document is None else _read(str(did_document))
    try:
        verdict = asyncio.run(
            verify_file(
                content,
                status_list=lists,
                did_document=keys,
                at=clock.now(),
                expected=Expected(domain, challenge),
            )
        )
    except Invalid as fault:
        typer.echo(f"{did_document}: {fault.message} {' '.join(fault.reasons)}", err=True)
        raise typer.Exit(EXIT_USAGE) from None
    told = answer_json(verdict)
    if as_json:
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        console().print(verdict_panel(file, told))
        for number, credential in enumerate(told.get("credentials", ()), 1):
            console().print(verdict_panel(f"{file}, credential {number}", credential))
    raise typer.Exit(EXIT_CODES[told["verdict"]])


def _read(file: str) -> bytes:
    try:
        if file == "-":
            return sys.stdin.buffer.read(CREDENTIAL_BYTES_READ_MAX)
        with Path(file).open("rb") as source:
            return source.read(CREDENTIAL_BYTES_READ_MAX)
    except OSError as cause:
        typer.echo(f"{file} cannot be read: {cause.strerror}.", err=True)
        raise typer.Exit(EXIT_USAGE) from None
