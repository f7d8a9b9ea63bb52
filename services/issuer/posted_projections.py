"""The read model of posted credentials, written from events as projections.py does: live and in a rebuild."""

from __future__ import annotations

from collections.abc import Sequence

from shared.contracts.posted import (
    PostedCredentialForgotten,
    PostedCredentialIssued,
    PostedCredentialRevoked,
    PostedCredentialSigned,
)
from shared.eventstore import Recorded
from shared.eventstore.log import Connection

ISSUED = """
INSERT INTO posted_credential (issuer_id, credential_id, list_id, list_index, issued_at)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::int[], $5::timestamptz[])
ON CONFLICT (issuer_id, credential_id) DO NOTHING
"""
SIGNED = """
UPDATE posted_credential AS p SET signed_at = new.signed_at
FROM unnest($1::text[], $2::uuid[], $3::timestamptz[]) AS new (issuer_id, credential_id, signed_at)
WHERE p.issuer_id = new.issuer_id AND p.credential_id = new.credential_id
"""
REVOKED = """
UPDATE posted_credential AS p SET revoked_at = new.revoked_at, revocation_reason = new.reason
FROM unnest($1::text[], $2::uuid[], $3::timestamptz[], $4::text[])
  AS new (issuer_id, credential_id, revoked_at, reason)
WHERE p.issuer_id = new.issuer_id AND p.credential_id = new.credential_id
"""
FORGOTTEN = """
UPDATE posted_credential AS p SET forgotten_at = new.forgotten_at
FROM unnest($1::text[], $2::uuid[], $3::timestamptz[]) AS new (issuer_id, credential_id, forgotten_at)
WHERE p.issuer_id = new.issuer_id AND p.credential_id = new.credential_id
"""


POSTED_EVENTS = (
    PostedCredentialIssued,
    PostedCredentialSigned,
    PostedCredentialRevoked,
    PostedCredentialForgotten,
)


async def project_posted(connection: Connection, events: Sequence[Recorded]) -> None:
    """Write what `events`, of POSTED_EVENTS, say: each kind in the order of the log, in one statement."""
    issued, signed, revoked, forgotten = [], [], [], []
    for each in events:
        match each.event:
            case PostedCredentialIssued(credential_id=named, status=status, created=at):
                issued.append((each.issuer_id, named, status.list_id, status.index, at))
            case PostedCredentialSigned(credential_id=named, signed_at=at):
                signed.append((each.issuer_id, named, at))
            case PostedCredentialRevoked(credential_id=named, revoked_at=at, reason=reason):
                revoked.append((each.issuer_id, named, at, reason))
            case PostedCredentialForgotten(credential_id=named, forgotten_at=at):
                forgotten.append((each.issuer_id, named, at))
    for statement, rows in ((ISSUED, issued), (SIGNED, signed), (REVOKED, revoked), (FORGOTTEN, forgotten)):
        if rows:
            await connection.execute(statement, *(list(column) for column in zip(*rows, strict=True)))
