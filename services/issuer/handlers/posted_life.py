"""What a caller does to a credential that it names: end its validity, or have what was posted forgotten.

VCALM names a credential by its `id` or the option `credentialId`. Understood as well are our own ids and
addresses of credentials from assessments, and the `id` of a credential's own status entry, by which one that
was posted without a name can be told. Another tenant's credential is unknown, however it is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from services.issuer import posted_rules, posted_store, store
from services.issuer.documents.addresses import Addresses
from services.issuer.documents.status_list import status_entry
from services.issuer.handlers.posted import stream_of
from services.issuer.handlers.retrying import retrying
from services.issuer.handlers.revoke import Revoke
from services.issuer.handlers.tenant_secrets import TenantSecrets, posted_id
from services.issuer.indexes import CAPACITY
from services.issuer.posted_rules import Posted
from services.issuer.posted_store import PostedRef, PostedRow
from services.issuer.projections import project
from shared.contracts.credentials import RevocationReason, StatusEntry
from shared.database import Database
from shared.errors import Invalid, NotFound
from shared.eventstore import Append, Meta, Session
from shared.eventstore.log import Connection
from shared.proofs.strictjson import JsonObject

PLACE_DIGITS_MAX = len(str(CAPACITY))


@dataclass(frozen=True, slots=True)
class Badge:
    """A credential from an assessment, and its place in a status list."""

    credential_id: str
    status: StatusEntry


class UpdateStatus:
    """Holds what ending a credential by its name depends on."""

    def __init__(
        self, database: Database, addresses: Addresses, secrets: TenantSecrets, revoke: Revoke
    ) -> None:
        self._database = database
        self._addresses = addresses
        self._secrets = secrets
        self._revoke = revoke

    async def __call__(
        self,
        issuer_id: str,
        name: str,
        entry: Mapping[str, str],
        reason: RevocationReason,
        meta: Meta,
    ) -> JsonObject:
        """Revoke the credential called `name` for good, once, and return its status entry.

        Raises NotFound for a credential that is not the tenant's, and Invalid where `entry` is not its own.
        """
        async with self._database.connection() as connection:
            found: PostedRow | Badge | None = await _posted(
                connection, self._secrets, self._addresses, issuer_id, name
            )
            found = found or await self._badge(connection, issuer_id, name)
        if found is None:
            raise NotFound("credential-unknown", "There is no such credential.")
        own = status_entry(self._addresses, found.status)
        if any(own[member] != value for member, value in entry.items()):
            raise Invalid("status-entry-foreign", "The status entry is not the one of this credential.")
        if isinstance(found, Badge):
            await self._revoke(issuer_id, found.credential_id, reason, meta)
        else:
            await retrying(lambda: self._revoke_posted((issuer_id, found.credential_id), reason, meta))
        return own

    async def _badge(self, connection: Connection, issuer_id: str, name: str) -> Badge | None:
        credential_id = _uuid(name.removeprefix(self._addresses.credential("")))
        if credential_id is None:
            return None
        row = await store.credential(connection, issuer_id, credential_id)
        if row is None:
            return None
        return Badge(row.credential_id, StatusEntry(list_id=row.list_id, index=row.list_index))

    async def _revoke_posted(self, ref: PostedRef, reason: RevocationReason, meta: Meta) -> None:
        async with self._database.session() as session:
            state, version = await _life(session, ref)
            events = tuple(posted_rules.decide_revoke_posted(state, reason, session.at))
            appends = [Append(*stream_of(ref), version, events, meta)] if events else []
            await project(session.connection, await session.append(appends))


class ForgetPosted:
    """Holds what forgetting depends on."""

    def __init__(self, database: Database, addresses: Addresses, secrets: TenantSecrets) -> None:
        self._database = database
        self._addresses = addresses
        self._secrets = secrets

    async def __call__(self, issuer_id: str, name: str, meta: Meta) -> None:
        """Delete the key of the posted credential called `name`: nobody reads it here any more.

        Its status stays, and it can still be revoked. A second time changes nothing. Raises NotFound for a
        credential that is not the tenant's or was not posted: others are forgotten with their learner.
        """
        async with self._database.connection() as connection:
            found = await _posted(connection, self._secrets, self._addresses, issuer_id, name)
        if found is None:
            raise NotFound("credential-unknown", "No such credential was posted.")
        await retrying(lambda: self._forget((issuer_id, found.credential_id), meta))

    async def _forget(self, ref: PostedRef, meta: Meta) -> None:
        async with self._database.session() as session:
            state, version = await _life(session, ref)
            await posted_store.delete_key(session.connection, ref)
            events = tuple(posted_rules.decide_forget_posted(state, session.at))
            appends = [Append(*stream_of(ref), version, events, meta)] if events else []
            await project(session.connection, await session.append(appends))


async def _posted(
    connection: Connection, secrets: TenantSecrets, addresses: Addresses, issuer_id: str, name: str
) -> PostedRow | None:
    """The tenant's posted credential of this name, or with this status entry."""
    tenant = (await store.tenants(connection, [issuer_id])).get(issuer_id)
    if tenant is None:
        return None
    secret = secrets.open(issuer_id, tenant.wrapped_secret)
    found = await posted_store.posted(connection, issuer_id, posted_id(secret, name))
    if found is not None or not name.startswith(addresses.status_list("")):
        return found
    listed, _, place = name.removeprefix(addresses.status_list("")).partition("#")
    list_id = _uuid(listed)
    if list_id is None or not (place.isascii() and place.isdigit() and len(place) <= PLACE_DIGITS_MAX):
        return None
    return await posted_store.posted_at_place(connection, issuer_id, list_id, int(place))


async def _life(session: Session, ref: PostedRef) -> tuple[Posted, int]:
    stream = stream_of(ref)
    history = (await session.load([stream]))[stream]
    state = posted_rules.posted_of(recorded.event for recorded in history)
    if state is None:
        raise NotFound("credential-unknown", "There is no such credential.")
    return state, len(history)


def _uuid(text: str) -> str | None:
    """A UUID in its one spelling, or None."""
    try:
        value = str(UUID(text))
    except ValueError:
        return None
    return value if value == text else None
