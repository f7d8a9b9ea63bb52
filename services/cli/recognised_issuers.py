"""`microcred recognised-issuers`: whom this verifier recognises, besides the issuers of this installation."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from services.cli.running import Folder, console, database_of, run, service_settings, table
from services.issuer.settings import IssuerSettings
from services.verifier.fetching.fetcher import LIMITS, Fetcher
from services.verifier.handlers import Kept
from services.verifier.recognition import recognising
from services.verifier.recognition.recognised_list import RecognisedIssuer, RecognisedList
from services.verifier.recognition.recognised_store import KeptIssuer
from services.verifier.recognition.recognising import Operator
from services.verifier.settings import VerifierSettings
from shared import clock
from shared.errors import Invalid
from shared.keys import OperatorSigner
from shared.outbound import OutboundClient
from shared.proofs.strictjson import DOCUMENT_BYTES_MAX
from shared.proofs.workers import CanonicalWorkers
from shared.sealing import MasterKey

app = typer.Typer(
    help="Recognised issuers: whom a verdict names as known. Not being recognised makes nothing invalid.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Did = Annotated[str, typer.Argument(metavar="DID", help="The issuer's DID, such as did:web:oslo.example.")]
OperatorDid = Annotated[str, typer.Argument(metavar="OPERATOR", help="The DID of whoever signed the list.")]


@app.command("add")
def add(
    did: Did,
    name: Annotated[str, typer.Option(help="The name under which verdicts show it.")],
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Since when it is recognised; today.", show_default=False),
    ] = None,
    data: Folder = None,
) -> None:
    """Recognise an issuer: put it on this installation's own list, which is signed anew.

    The same DID again replaces what the list said of it.
    """
    moment = clock.now() if since is None else since.replace(tzinfo=UTC)
    run(_add(RecognisedIssuer(did, name, moment), data))
    console().print(f"{did} is recognised as {name}.", soft_wrap=True)


@app.command("remove")
def remove(did: Did, data: Folder = None) -> None:
    """Recognise an issuer no longer: take it off this installation's own list."""
    run(_remove(did, data))
    console().print(f"{did} is on our own list no longer.", soft_wrap=True)


@app.command("list")
def show_all(data: Folder = None) -> None:
    """List who is recognised, by whom and since when."""
    issuers = table("issuer", "name", "since", "according to", "operator")
    for kept in run(_list(data)):
        since = f"{kept.issuer.since:%Y-%m-%d}"
        issuers.add_row(kept.issuer.did, kept.issuer.name, since, kept.operator_name, kept.operator)
    console().print(issuers)


@app.command("import")
def import_list(
    file: Annotated[Path, typer.Argument(help="The list, as its operator exported it.")],
    operator: Annotated[str, typer.Option(help="The DID of the operator whose word is to be taken.")],
    data: Folder = None,
) -> None:
    """Take the word of another operator: keep their signed list, in place of their former one."""
    listed = run(_import(_read(file), operator, data))
    told = f"Recognised according to {listed.operator_name}: {len(listed.issuers)}."
    console().print(told, soft_wrap=True)


@app.command("forget")
def forget(operator: OperatorDid, data: Folder = None) -> None:
    """Take the word of an operator no longer: delete their list."""
    run(_forget(operator, data))
    console().print(f"The list of {operator} is forgotten.", soft_wrap=True)


@app.command("export")
def export(
    operator: Annotated[
        str | None,
        typer.Option(help="Whose list, by DID; without it, our own.", show_default=False),
    ] = None,
    data: Folder = None,
) -> None:
    """Print a list as it was signed, for other operators to import."""
    typer.echo(run(_export(operator, data)))


def _own(data: Path | None) -> Operator:
    settings = service_settings("issuer", IssuerSettings, data)
    signer = OperatorSigner.of(MasterKey.from_file(settings.master_key_file))
    return Operator(signer.public_key, f"the operator of {settings.public_url}", signer)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as source:
            return source.read(DOCUMENT_BYTES_MAX + 1)
    except OSError as cause:
        raise typer.BadParameter(f"{file} cannot be read: {cause.strerror}.") from None


async def _add(issuer: RecognisedIssuer, data: Path | None) -> None:
    operator = _own(data)
    async with database_of("verifier", data) as database:
        await recognising.recognise(database, operator, issuer)


async def _remove(did: str, data: Path | None) -> None:
    operator = _own(data)
    async with database_of("verifier", data) as database:
        await recognising.derecognise(database, operator, did)


async def _list(data: Path | None) -> list[KeptIssuer]:
    async with database_of("verifier", data) as database:
        return await recognising.kept_issuers(database)


async def _import(content: bytes, operator: str, data: Path | None) -> RecognisedList:
    settings = service_settings("verifier", VerifierSettings, data)
    if len(content) > DOCUMENT_BYTES_MAX:
        raise Invalid("recognised-list-malformed", f"A list has {DOCUMENT_BYTES_MAX} bytes at most.")
    outbound = OutboundClient(LIMITS, settings.outbound_allow_loopback)
    try:
        async with database_of("verifier", data) as database, CanonicalWorkers(1) as workers:
            sources = Kept(database, settings.public_url, Fetcher(outbound))
            return await recognising.import_list(database, content, operator, workers, sources, clock.now())
    finally:
        await outbound.close()


async def _forget(operator: str, data: Path | None) -> None:
    async with database_of("verifier", data) as database:
        await recognising.forget_list(database, operator)


async def _export(operator: str | None, data: Path | None) -> str:
    async with database_of("verifier", data) as database:
        return await recognising.exported(database, operator or _own(data).did)
