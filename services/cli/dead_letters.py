"""`microcred dead-letters`: what a consumer could not take, and how to let it try again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from services import SERVICES
from services.cli.running import Folder, console, database_of, run, table
from shared.bus import dead_letters
from shared.bus.dead_letters import DeadLetter

app = typer.Typer(
    help="Records that a consumer could not take. A buried record holds up the later records of its key"
    " alone: they wait parked behind it, in order. Mend the cause, then requeue the key.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def of_a_service(consumer: str) -> str:
    """Return the name of a consumer. One that begins with no service is wrong usage."""
    if service_of(consumer) not in SERVICES:
        names = ", ".join(SERVICES)
        raise typer.BadParameter(f"A consumer's name begins with its service: one of {names}.")
    return consumer


def service_of(consumer: str) -> str:
    """Return the service whose consumer it is, by its name."""
    return consumer.partition(".")[0]


Consumer = Annotated[
    str, typer.Argument(help="Name of the consumer, such as issuer.issue.", callback=of_a_service)
]
Key = Annotated[str, typer.Argument(help="Key of the record, as 'list' shows it.")]


@app.command("list")
def list_letters(data: Folder = None) -> None:
    """List what waits, oldest first, in every service."""
    letters = run(_all_letters(data))
    if not letters:
        console().print("No dead letters.")
        return
    rows = table("issuer", "consumer", "key", "state", "event", "since", "error")
    for letter in letters:
        error = letter.error.splitlines()[0] if letter.error else ""
        since = letter.at.isoformat(timespec="seconds")
        rows.add_row(
            letter.issuer_id, letter.consumer, letter.key, letter.state, letter.event_type, since, error
        )
    console().print(rows)


@app.command("show")
def show(consumer: Consumer, key: Key, data: Folder = None) -> None:
    """Show every waiting record of a key: headers, value and the error with its trace."""
    letters = [
        letter for letter in run(_all_letters(data)) if letter.consumer == consumer and letter.key == key
    ]
    if not letters:
        console(stderr=True).print("No record of this consumer and key waits.")
        raise typer.Exit(1)
    for letter in letters:
        typer.echo(json.dumps(_as_json(letter), indent=2, ensure_ascii=False))


@app.command("requeue")
def requeue(consumer: Consumer, key: Key, data: Folder = None) -> None:
    """Ask the running consumer to replay a key's records in order, and to take what waits behind them."""
    number = run(_requeue(consumer, key, data))
    console().print(
        f"{number} record(s) of {key} asked for; {consumer} takes them within a second if it runs."
    )


async def _all_letters(data: Path | None) -> list[DeadLetter]:
    found: list[DeadLetter] = []
    for name in SERVICES:
        async with database_of(name, data) as database, database.connection() as connection:
            found += await dead_letters.open_letters(connection)
    return found


async def _requeue(consumer: str, key: str, data: Path | None) -> int:
    async with database_of(service_of(consumer), data) as database, database.session() as session:
        return await dead_letters.ask_requeue(session.connection, consumer, key)


def _as_json(letter: DeadLetter) -> dict[str, object]:
    return {
        "issuer_id": letter.issuer_id,
        "consumer": letter.consumer,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "key": letter.key,
        "state": letter.state,
        "since": letter.at.isoformat(),
        "headers": letter.headers,
        "value": letter.value.decode("utf-8", "replace"),
        "error": letter.error,
    }
