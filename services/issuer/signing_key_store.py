"""Where private keys lie: the one table of the schema that the role `signer` alone may enter.

A row holds a sealed seed, or the name of a key on a PKCS#11 token: never a key that could be read from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.issuer.store import KeyRef
from shared.eventstore.log import Connection

ENVELOPE = "envelope"
PKCS11 = "pkcs11"


@dataclass(frozen=True, slots=True)
class KeptKey:
    """A private key as it is kept: either `envelope` or `token_object` is there, as `custody` says."""

    envelope: bytes | None = None
    token_object: bytes | None = None

    @property
    def custody(self) -> str:
        """ENVELOPE or PKCS11."""
        return ENVELOPE if self.token_object is None else PKCS11


async def insert_key(connection: Connection, issuer_id: str, key_id: str, kept: KeptKey) -> None:
    """Keep a key."""
    await connection.execute(
        "INSERT INTO signing_key (issuer_id, key_id, custody, envelope, token_object)"
        " VALUES ($1, $2, $3, $4, $5)",
        issuer_id,
        key_id,
        kept.custody,
        kept.envelope,
        kept.token_object,
    )


KEPT = """
SELECT k.issuer_id, k.key_id, k.envelope, k.token_object
FROM unnest($1::text[], $2::text[]) AS wanted (issuer_id, key_id) JOIN signing_key k USING (issuer_id, key_id)
"""


async def kept_keys(connection: Connection, keys: Iterable[KeyRef]) -> dict[KeyRef, KeptKey]:
    """Return the keys that exist among `keys`."""
    wanted = sorted(set(keys))
    rows = await connection.fetch(KEPT, [key[0] for key in wanted], [key[1] for key in wanted])
    return {(row["issuer_id"], row["key_id"]): KeptKey(row["envelope"], row["token_object"]) for row in rows}
