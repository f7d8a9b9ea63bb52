"""The key of each posted credential: random, wrapped under the master key, gone when it is to be forgotten.

Not in the vault, whose keys belong to learners and which the assessor alone writes. Never cached: whoever
asks after the row is deleted finds nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from services.issuer import posted_store
from services.issuer.posted_store import PostedRef
from shared.errors import Invalid, Unavailable
from shared.eventstore.log import Connection
from shared.sealing import KEY_BYTES, MasterKey, open_sealed, seal

PURPOSE = "posted-credential"


class PostedKeys:
    """Makes, finds and uses the keys of posted credentials."""

    def __init__(self, master_key: MasterKey) -> None:
        self._kek = master_key.key_wrap("posted-credential")

    def make(self, ref: PostedRef) -> tuple[bytes, bytes]:
        """Return a new key, and how it is kept."""
        key = os.urandom(KEY_BYTES)
        return key, self._kek.wrap(key, (PURPOSE, *ref))

    async def of(self, connection: Connection, refs: Iterable[PostedRef]) -> dict[PostedRef, bytes]:
        """Return the keys of those credentials that are not forgotten.

        Raises Unavailable for another master key: the installation's fault and no record's, so nothing may be
        buried for it.
        """
        kept = await posted_store.wrapped_keys(connection, refs)
        try:
            return {ref: self._kek.unwrap(wrapped, (PURPOSE, *ref)) for ref, wrapped in kept.items()}
        except Invalid as cause:
            raise Unavailable("A posted credential's key does not open with this master key.") from cause


def sealed_for(key: bytes, ref: PostedRef, stream: str, plaintext: bytes) -> str:
    """Seal what is in a posted credential for its stream."""
    return seal(key, plaintext, issuer_id=ref[0], learner_id=ref[1], stream=stream)


def opened_of(key: bytes, ref: PostedRef, stream: str, sealed: str) -> bytes:
    """Undo `sealed_for`."""
    return open_sealed(key, sealed, issuer_id=ref[0], learner_id=ref[1], stream=stream)
