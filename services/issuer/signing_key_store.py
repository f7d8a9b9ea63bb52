"""The sealed seeds of signing keys: the one table of the schema that the role `signer` alone may enter."""

from __future__ import annotations

from collections.abc import Iterable

from services.issuer.store import KeyRef
from shared.eventstore.log import Connection


async def insert_envelope(connection: Connection, issuer_id: str, key_id: str, envelope: bytes) -> None:
    """Keep a sealed seed."""
    await connection.execute(
        "INSERT INTO signing_key (issuer_id, key_id, envelope) VALUES ($1, $2, $3)",
        issuer_id,
        key_id,
        envelope,
    )


ENVELOPES = """
SELECT k.issuer_id, k.key_id, k.envelope
FROM unnest($1::text[], $2::text[]) AS wanted (issuer_id, key_id) JOIN signing_key k USING (issuer_id, key_id)
"""


async def envelopes(connection: Connection, keys: Iterable[KeyRef]) -> dict[KeyRef, bytes]:
    """Return the sealed seeds that exist among `keys`."""
    wanted = sorted(set(keys))
    rows = await connection.fetch(ENVELOPES, [key[0] for key in wanted], [key[1] for key in wanted])
    return {(row["issuer_id"], row["key_id"]): row["envelope"] for row in rows}
