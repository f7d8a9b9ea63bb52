"""`microcred signing-keys`: the keys that a tenant signs with, over time."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from services.cli.running import Folder, console, database_of, run, service_settings, table
from services.issuer import key_rules
from services.issuer.handlers.rotation import (
    custody_of_keys,
    list_signing_keys,
    retire_signing_key,
    rotate_signing_key,
)
from services.issuer.key_rules import PublishedKey
from services.issuer.settings import IssuerSettings
from shared import clock
from shared.key_kinds import KeyKind

app = typer.Typer(
    help="Signing keys: what an issuer's credentials and status lists are signed with. A new key is published"
    " first and signs a day later (KEY_OVERLAP_S), so that whoever keeps a copy of did.json knows it by then."
    " What an old key signed stays good. docs/how-to/rotate-a-key.md has the whole course.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Slug = Annotated[str, typer.Argument(help="The issuer's slug.")]


class Reason(StrEnum):
    """Why a key is retired; the values are those of issuer.key-retired.v1."""

    SUPERSEDED = "superseded"
    COMPROMISED = "compromised"


@app.command("list")
def show_all(slug: Slug, data: Folder = None) -> None:
    """List every key that the issuer ever published, oldest first, how it is kept and what it does.

    Kept in 'envelope': encrypted under the master key. In 'pkcs11': on the token. 'nowhere': its private half
    is lost. To know that, it needs SIGNING_DATABASE_URL.
    """
    keys, custody = run(_list(slug, data))
    now = clock.now()
    signing = [key_rules.signing_key(keys, now, kind) for kind in KeyKind]
    rows = table("key", "kind", "kept in", "published", "signs from", "state")
    for key in keys:
        state = "signs now" if key in signing else _state(key, now)
        moments = _told(key.published_at), _told(key.valid_from)
        rows.add_row(key.name, key.kind, custody.get(key.key_id, "nowhere"), *moments, state)
    console().print(rows)


@app.command("rotate")
def rotate(
    slug: Slug,
    kind: Annotated[
        KeyKind,
        typer.Option(help="Ed25519, P-256 (for ecdsa-rdfc-2019 and ES256) or RSA (for RS256)."),
    ] = KeyKind.ED25519,
    at_once: Annotated[
        bool,
        typer.Option(
            "--at-once",
            help="Let it sign now, not a day later: for when the old key is compromised. Verifiers elsewhere"
            " that keep a copy of did.json may refuse what it signs until they look again.",
        ),
    ] = False,
    data: Folder = None,
) -> None:
    """Make a new key of a kind and publish it in did.json. It takes over by itself when its time has come.

    Nothing need be restarted. The old key stays published: retire it when the new one signs. Like 'microcred
    issuers create' this makes a private key, so it needs SIGNING_DATABASE_URL.
    """
    key = run(_rotate(slug, kind, at_once, data))
    console().print(
        f"Published {key.name} of {slug}. It signs from {_told(key.valid_from)} on.",
        soft_wrap=True,
    )


@app.command("retire")
def retire(
    slug: Slug,
    key: Annotated[str, typer.Argument(help="The key, such as z6Mk…, as 'list' shows it.")],
    reason: Annotated[
        Reason,
        typer.Option(
            help="'superseded': another took its place; what it signed stays good and it stays in did.json."
            " 'compromised': somebody else may have it; nothing signed since then is believed, and did.json"
            " does not vouch for it any more."
        ),
    ] = Reason.SUPERSEDED,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"],
            metavar="MOMENT",
            help="For a compromised key: since when somebody else may have it, in UTC, such as"
            " 2026-06-01T09:00:00Z or 2026-06-01; now.",
            show_default=False,
        ),
    ] = None,
    data: Folder = None,
) -> None:
    """Record that a key signs no more. It cannot be the only one that signs: rotate first.

    An end is for good, and the same again changes nothing. A superseded key can be found to be compromised
    later.
    """
    if since is not None and reason is not Reason.COMPROMISED:
        raise typer.BadParameter("--since goes with --reason compromised")
    moment = None if since is None else since.replace(tzinfo=UTC)
    ended = run(_retire(slug, key, reason, moment, data))
    console().print(f"{key} of {slug}: {_state(ended, clock.now())}.", soft_wrap=True)


def _state(key: PublishedKey, now: datetime) -> str:
    if key.ends_at is not None:
        return f"{key.retired_as} since {_told(key.ends_at)}"
    return "waits" if key.waits_at(now) else "signed before"


def _told(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


async def _list(slug: str, data: Path | None) -> tuple[tuple[PublishedKey, ...], dict[str, str]]:
    settings = service_settings("issuer", IssuerSettings, data)
    async with database_of("issuer", data) as database:
        keys = await list_signing_keys(database, slug)
    return keys, await custody_of_keys(settings, slug, keys)


async def _rotate(slug: str, kind: KeyKind, at_once: bool, data: Path | None) -> PublishedKey:
    settings = service_settings("issuer", IssuerSettings, data)
    async with database_of("issuer", data) as database:
        return await rotate_signing_key(database, settings, slug, kind, at_once=at_once)


async def _retire(
    slug: str, key: str, reason: Reason, since: datetime | None, data: Path | None
) -> PublishedKey:
    async with database_of("issuer", data) as database:
        return await retire_signing_key(database, slug, key, reason.value, since=since)
