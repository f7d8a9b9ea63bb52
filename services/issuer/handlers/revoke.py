"""A caller withdraws a credential: for good, once, and with the same answer ever after.

Withdrawn before it was signed, it takes its intent to supersede another with it: what the learner holds is
the older one again (step 12 of docs/ISSUANCE-CYCLE.md).
"""

from __future__ import annotations

from services.issuer import domain, store
from services.issuer.handlers.retrying import retrying
from services.issuer.holding_store import HoldingKey, hold, lock_holdings
from services.issuer.projections import project
from services.issuer.store import CredentialRow
from shared.contracts.credentials import CredentialIssued, RevocationReason
from shared.database import Database
from shared.errors import NotFound
from shared.eventstore import Append, Meta, Session


class Revoke:
    """Holds what revoking depends on."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(
        self, issuer_id: str, credential_id: str, reason: RevocationReason, meta: Meta
    ) -> CredentialRow:
        """Withdraw the tenant's credential, signed or not; a second time changes nothing, nor its reason.

        Raises NotFound for a credential that is not the tenant's. The status list follows in its own lane.
        """
        return await retrying(lambda: self._revoke(issuer_id, credential_id, reason, meta))

    async def _revoke(
        self, issuer_id: str, credential_id: str, reason: RevocationReason, meta: Meta
    ) -> CredentialRow:
        key = (issuer_id, f"{CredentialIssued.STREAM}-{credential_id}")
        async with self._database.session() as session:
            row = await store.credential(session.connection, issuer_id, credential_id)
            held = await _lock_holding(session, row) if row is not None and row.signed_at is None else {}
            history = (await session.load([key]))[key]
            state = domain.credential_of(recorded.event for recorded in history)
            events = domain.decide_revoke(state, reason, session.at)
            older = domain.held_again(state, reason)
            if events and older is not None:
                ours = [holding for holding, holder in held.items() if holder in (None, credential_id)]
                await hold(session.connection, dict.fromkeys(ours, older))
            appends = [Append(*key, len(history), tuple(events), meta)] if events else []
            await project(session.connection, await session.append(appends))
            row = await store.credential(session.connection, issuer_id, credential_id)
        if row is None:
            raise NotFound("credential-unknown", "There is no such credential.")
        return row


async def _lock_holding(session: Session, row: CredentialRow) -> dict[HoldingKey, str | None]:
    """Lock what the learner holds, which may change: before anything else, in the order of issuing."""
    holding = (row.issuer_id, row.learner_id, row.achievement_id)
    return await lock_holdings(session.connection, {holding: row.credential_id})
