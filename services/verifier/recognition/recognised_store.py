"""All SQL of the lists of recognised issuers, which belong to the installation and to no tenant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from services.verifier.recognition.recognised_list import RecognisedIssuer, RecognisedList
from shared.eventstore.log import Connection


@dataclass(frozen=True, slots=True)
class KeptIssuer:
    """An entry of a kept list, with the operator whose list it is."""

    operator: str
    operator_name: str
    issuer: RecognisedIssuer


async def one_at_a_time(connection: Connection) -> None:
    """Keep other writers of lists out until the transaction ends; readers go on."""
    await connection.execute("LOCK TABLE recognised_list IN EXCLUSIVE MODE")


async def replace_list(connection: Connection, listed: RecognisedList, credential: str) -> None:
    """Keep a list in place of the operator's former one."""
    await forget_list(connection, listed.operator)
    await connection.execute(
        "INSERT INTO recognised_list VALUES ($1, $2, $3, $4, $5)",
        listed.operator,
        listed.operator_name,
        credential,
        listed.valid_from,
        listed.valid_until,
    )
    await connection.execute(
        "INSERT INTO recognised_issuer SELECT $1, * FROM unnest($2::text[], $3::text[], $4::timestamptz[])",
        listed.operator,
        [issuer.did for issuer in listed.issuers],
        [issuer.name for issuer in listed.issuers],
        [issuer.since for issuer in listed.issuers],
    )


async def forget_list(connection: Connection, operator: str) -> bool:
    """Delete the operator's list; tells whether there was one."""
    return await connection.execute("DELETE FROM recognised_list WHERE operator = $1", operator) != "DELETE 0"


async def valid_from(connection: Connection, operator: str) -> datetime | None:
    """Since when the operator's kept list is valid, or None if there is none."""
    moment: datetime | None = await connection.fetchval(
        "SELECT valid_from FROM recognised_list WHERE operator = $1", operator
    )
    return moment


async def credential_of(connection: Connection, operator: str) -> str | None:
    """The operator's list as it was signed."""
    credential: str | None = await connection.fetchval(
        "SELECT credential FROM recognised_list WHERE operator = $1", operator
    )
    return credential


async def all_kept(connection: Connection) -> list[KeptIssuer]:
    """Every entry of every list, by operator and name."""
    rows = await connection.fetch(
        "SELECT operator, operator_name, did, name, since FROM recognised_issuer"
        " JOIN recognised_list USING (operator) ORDER BY operator, name, did"
    )
    return [_kept(row) for row in rows]


async def recognising(connection: Connection, did: str, at: datetime) -> list[KeptIssuer]:
    """What the lists that are valid at `at` say of `did`, the longest-standing recognition first."""
    rows = await connection.fetch(
        "SELECT operator, operator_name, did, name, since FROM recognised_issuer"
        " JOIN recognised_list USING (operator)"
        " WHERE did = $1 AND (valid_until IS NULL OR valid_until > $2) ORDER BY since, operator",
        did,
        at,
    )
    return [_kept(row) for row in rows]


def _kept(row: asyncpg.Record) -> KeptIssuer:
    return KeptIssuer(
        row["operator"], row["operator_name"], RecognisedIssuer(row["did"], row["name"], row["since"])
    )
