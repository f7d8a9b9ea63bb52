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
from services.demo.story import print_verdict
from services.verifier.answers import verdict_json
from services.verifier.offline import EXIT_CODES, verify_file
from shared import clock
from shared.errors import Invalid

CREDENTIAL_BYTES_READ_MAX = 1 << 20


def verify(
    file: Annotated[str, typer.Argument(help="The credential's JSON file, or - for standard input.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
    status_list: Annotated[
        Path | None, typer.Option(help="The status list that the credential names.", show_default=False)
    ] = None,
    did_document: Annotated[
        Path | None,
        typer.Option(help="The DID document of the issuer; not needed for did:key.", show_default=False),
    ] = None,
) -> None:
    """Verify a credential offline, check by check: nothing is fetched.

    Exits 0 if it is valid, 1 if invalid, 2 if unknown (such as without its status list), 64 for wrong usage.
    """
    content = _read(file)
    lists = None if status_list is None else _read(str(status_list))
    keys = None if did_document is None else _read(str(did_document))
    try:
        verdict = asyncio.run(verify_file(content, status_list=lists, did_document=keys, at=clock.now()))
    except Invalid as fault:
        typer.echo(f"{did_document}: {fault.message} {' '.join(fault.reasons)}", err=True)
        raise typer.Exit(EXIT_USAGE) from None
    told = verdict_json(verdict)
    if as_json:
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        print_verdict(console(), file, told)
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
