"""A tenant's secret, and what hangs from it: ids and shuffles that nobody else can compute.

The secret lies wrapped under the master key. It makes credential ids (so that one assessment has one
credential, at an address that cannot be guessed), list ids, and the shuffle of each list.
"""

from __future__ import annotations

import os

from services.issuer import indexes
from shared.contracts.credentials import StatusEntry
from shared.errors import Invalid, Unavailable
from shared.sealing import KEY_BYTES, MasterKey, credential_uuid, keyed_hash
from shared.uuids import derived_uuid


class TenantSecrets:
    """Makes, wraps and opens tenants' secrets."""

    def __init__(self, master_key: MasterKey) -> None:
        self._kek = master_key.key_wrap("tenant-secret")

    def make(self, issuer_id: str) -> bytes:
        """Return a new secret, wrapped for this tenant alone."""
        return self._kek.wrap(os.urandom(KEY_BYTES), ("tenant-secret", issuer_id))

    def open(self, issuer_id: str, wrapped: bytes) -> bytes:
        """Return the secret.

        Raises Unavailable for another master key: the installation's fault and no record's, so nothing may be
        buried for it.
        """
        try:
            return self._kek.unwrap(wrapped, ("tenant-secret", issuer_id))
        except Invalid as cause:
            raise Unavailable("The master key does not open the tenant's secret.") from cause


def credential_id(secret: bytes, assessment_id: str) -> str:
    """The one credential id of an assessment."""
    return str(credential_uuid(secret, assessment_id))


def posted_id(secret: bytes, name: str) -> str:
    """The one id of the posted credential that its caller calls `name`, which is kept nowhere."""
    return str(derived_uuid(keyed_hash(secret, "posted-credential", name)))


def list_id(secret: bytes, ordinal: int) -> str:
    """The id of the tenant's `ordinal`-th status list (from 0)."""
    return str(derived_uuid(keyed_hash(secret, "status-list", str(ordinal))))


class StatusEntries:
    """The status entries of one tenant's reservations; what hangs from a list alone is made once a list."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._lists: dict[int, tuple[str, bytes]] = {}

    def entry(self, place: int) -> StatusEntry:
        """The list and index of the tenant's `place`-th reservation (from 0): no two places share one."""
        ordinal, slot = indexes.list_and_slot(place)
        if ordinal not in self._lists:
            named = list_id(self._secret, ordinal)
            self._lists[ordinal] = named, keyed_hash(self._secret, "status-shuffle", named)
        named, shuffle = self._lists[ordinal]
        return StatusEntry(list_id=named, index=indexes.permuted(shuffle, slot))
