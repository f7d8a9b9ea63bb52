"""`microcred bake`: put a credential into a picture, as Open Badges 3.0 asks (§5.3)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli import EXIT_USAGE
from services.cli.running import console, told
from services.verifier.examination.opening import INPUT_BYTES_MAX
from shared.baking import png, svg
from shared.errors import Invalid


def bake(
    picture: Annotated[Path, typer.Argument(help="A PNG or an SVG.")],
    credential: Annotated[Path, typer.Argument(help="The credential: JSON, or a compact token.")],
    baked: Annotated[Path, typer.Argument(help="Where the baked badge is written: a new file.")],
) -> None:
    """Bake a credential into a picture: a badge that 'microcred verify' and any other verifier opens."""
    image, content = _read(picture), _read(credential)
    with told():
        made = _baked(image, content)
    try:
        with baked.open("xb") as file:
            file.write(made)
    except OSError as cause:
        typer.echo(f"{baked} cannot be written: {cause.strerror}.", err=True)
        raise typer.Exit(EXIT_USAGE) from None
    console().print(f"{baked} holds the picture and the credential.", soft_wrap=True)


def _baked(image: bytes, content: bytes) -> bytes:
    try:
        text = content.decode("utf-8").strip()
    except UnicodeDecodeError as cause:
        raise Invalid("credential-not-utf8", "The credential is not UTF-8 text.") from cause
    return png.bake(image, text) if png.is_png(image) else svg.bake(image, text)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as source:
            return source.read(INPUT_BYTES_MAX + 1)
    except OSError as cause:
        typer.echo(f"{file} cannot be read: {cause.strerror}.", err=True)
        raise typer.Exit(EXIT_USAGE) from None
