"""Writes the read model from events: one function for the live lanes, a rebuild, and tests."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import orjson

from services.verifier import store
from services.verifier.store import IssuerRow, KeyEnd, KeyRow, ListRow
from shared.contracts.issuers import IssuerKeyPublished, IssuerKeyRetired, IssuerPublished
from shared.contracts.status_lists import StatusListPublished
from shared.errors import Invalid
from shared.eventstore import Recorded
from shared.eventstore.log import Connection


async def project_lists(batch: Sequence[Recorded], connection: Connection) -> None:
    """Keep the newest version of each list in `batch`.

    Raises Invalid('status-list-unreadable') for one that is no list: it must not replace a good one.
    """
    newest: dict[tuple[str, str], ListRow] = {}
    for recorded in batch:
        event = recorded.event
        if isinstance(event, StatusListPublished):
            key = (recorded.issuer_id, event.list_id)
            if key not in newest or newest[key].version < event.version:
                newest[key] = _list_row(recorded.issuer_id, event)
    await store.keep_lists(connection, list(newest.values()))


async def project_issuers(batch: Sequence[Recorded], connection: Connection) -> None:
    """Keep the newest profile of each tenant in `batch`, and every public key with its end."""
    issuers: dict[str, IssuerRow] = {}
    keys: dict[tuple[str, str], KeyRow] = {}
    ends: dict[tuple[str, str], KeyEnd] = {}
    for recorded in batch:
        event, issuer_id = recorded.event, recorded.issuer_id
        if isinstance(event, IssuerPublished):
            row = IssuerRow(issuer_id, event.did, event.profile.name, event.profile_version)
            if issuer_id not in issuers or issuers[issuer_id].profile_version < row.profile_version:
                issuers[issuer_id] = row
        elif isinstance(event, IssuerKeyPublished):
            key = KeyRow(issuer_id, event.key_id, event.did, event.public_key_multibase, event.valid_from)
            keys.setdefault((issuer_id, event.key_id), key)
        elif isinstance(event, IssuerKeyRetired):
            end = KeyEnd(issuer_id, event.key_id, event.ends_at, event.reason == "compromised")
            ends[(issuer_id, event.key_id)] = end
    await store.keep_issuers(connection, list(issuers.values()))
    await store.keep_keys(connection, list(keys.values()))
    await store.end_keys(connection, list(ends.values()))


def _list_row(issuer_id: str, event: StatusListPublished) -> ListRow:
    return ListRow(
        issuer_id=issuer_id,
        list_id=event.list_id,
        version=event.version,
        credential=event.credential,
        sha256=sha256(event.credential.encode()).hexdigest(),
        ttl_ms=_ttl_ms(event.credential),
        valid_until=event.valid_until,
    )


def _ttl_ms(credential: str) -> int | None:
    """The list's `ttl` (Bitstring Status List 1.0 §2.2: milliseconds, no default)."""
    try:
        ttl = orjson.loads(credential)["credentialSubject"].get("ttl")
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as cause:
        raise Invalid("status-list-unreadable", "The published status list is not a list.") from cause
    return ttl if isinstance(ttl, int) and ttl >= 0 else None
