"""The issuer's read models, written from events: the same code for live handlers and for a rebuild.

`project` takes events in the order of the log and writes them with a constant number of statements. Within
one call a credential may be issued, signed and revoked: the three are applied in that order, and each is
idempotent. Of several versions of one list the last is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeVar

from services.issuer.posted_projections import POSTED_EVENTS, project_posted
from shared.contracts.achievements import AchievementPublished
from shared.contracts.credentials import CredentialIssued, CredentialRevoked, CredentialSigned
from shared.contracts.event import Event
from shared.contracts.issuers import IssuerKeyPublished, IssuerKeyRetired, IssuerPublished
from shared.contracts.status_lists import StatusListPublished
from shared.eventstore import Recorded
from shared.eventstore.log import Connection
from shared.proofs import bitstring, strictjson

READ_MODELS = ("profile", "issuer_key", "achievement", "credential", "posted_credential", "status_list")
"""The tables that hold nothing but projections."""

Kind = TypeVar("Kind", bound=Event)

ISSUED = (
    *("issuer_id", "credential_id", "assessment_id", "learner_id", "achievement_id", "achievement_version"),
    *("list_id", "list_index", "supersedes", "issued_at", "valid_until"),
)
SIGNED = """
UPDATE credential SET signed_at = new.signed_at
FROM unnest($1::text[], $2::uuid[], $3::timestamptz[]) AS new (issuer_id, credential_id, signed_at)
WHERE credential.issuer_id = new.issuer_id AND credential.credential_id = new.credential_id
"""
REVOKED = """
UPDATE credential SET revoked_at = new.revoked_at, revocation_reason = new.reason
FROM unnest($1::text[], $2::uuid[], $3::timestamptz[], $4::text[])
  AS new (issuer_id, credential_id, revoked_at, reason)
WHERE credential.issuer_id = new.issuer_id AND credential.credential_id = new.credential_id
"""
LISTS = """
INSERT INTO status_list AS kept
  (issuer_id, list_id, version, bits, published_at, valid_until, key_id, more_key_ids)
SELECT issuer_id, list_id, version, bits, published_at, valid_until, key_id,
       string_to_array(more_key_ids, ' ')
FROM unnest($1::text[], $2::uuid[], $3::int[], $4::bytea[], $5::timestamptz[], $6::timestamptz[],
            $7::text[], $8::text[])
  AS new (issuer_id, list_id, version, bits, published_at, valid_until, key_id, more_key_ids)
ON CONFLICT (issuer_id, list_id) DO UPDATE
SET version = excluded.version, bits = excluded.bits, published_at = excluded.published_at,
    valid_until = excluded.valid_until, key_id = excluded.key_id, more_key_ids = excluded.more_key_ids
WHERE kept.version < excluded.version
"""
ACHIEVEMENTS = """
INSERT INTO achievement (issuer_id, achievement_id, version, definition, published_at)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::int[], $4::bytea[], $5::timestamptz[])
ON CONFLICT DO NOTHING
"""
PROFILES = """
INSERT INTO profile (issuer_id, version, did, profile, published_at)
SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::bytea[], $5::timestamptz[])
ON CONFLICT DO NOTHING
"""
KEYS = """
INSERT INTO issuer_key (issuer_id, key_id, public_key_multibase, valid_from, published_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])
ON CONFLICT DO NOTHING
"""
KEY_ENDS = """
UPDATE issuer_key SET ends_at = ended.ends_at, retired_as = ended.reason
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[])
  AS ended (issuer_id, key_id, ends_at, reason)
WHERE issuer_key.issuer_id = ended.issuer_id AND issuer_key.key_id = ended.key_id
"""


async def project(connection: Connection, events: Sequence[Recorded]) -> None:
    """Write what `events` (in the order of the log) say into the read models."""
    of_kind: dict[type[Event], list[Recorded]] = defaultdict(list)
    for each in events:
        of_kind[type(each.event)].append(each)
    await _profiles(connection, _of(of_kind, IssuerPublished))
    await _keys(connection, _of(of_kind, IssuerKeyPublished))
    await _key_ends(connection, _of(of_kind, IssuerKeyRetired))
    await _achievements(connection, _of(of_kind, AchievementPublished))
    await _lists(connection, _of(of_kind, StatusListPublished))
    await _issued(connection, _of(of_kind, CredentialIssued))
    await _signed(connection, _of(of_kind, CredentialSigned))
    await _revoked(connection, _of(of_kind, CredentialRevoked))
    await project_posted(connection, [each for kind in POSTED_EVENTS for each in of_kind.get(kind, ())])


def shown_by(published: StatusListPublished) -> tuple[bytes, list[str]]:
    """The bits that a published list shows, as its `encodedList` has them, and the keys of its proofs."""
    document = strictjson.loads(published.credential.encode())
    if isinstance(document, dict) and isinstance(subject := document.get("credentialSubject"), dict):
        bits = bitstring.decode(str(subject.get("encodedList"))).data
        proofs = document.get("proof")
        keys = [
            str(proof.get("verificationMethod"))
            for proof in (proofs if isinstance(proofs, list) else [])
            if isinstance(proof, dict)
        ]
        if keys:
            return bits, keys
    raise TypeError("a published status list is a credential with one subject and its proofs")


def _of(of_kind: Mapping[type[Event], Sequence[Recorded]], kind: type[Kind]) -> list[tuple[str, Kind]]:
    return [(each.issuer_id, each.event) for each in of_kind.get(kind, ()) if isinstance(each.event, kind)]


async def _issued(connection: Connection, rows: list[tuple[str, CredentialIssued]]) -> None:
    if not rows:
        return
    records = [
        (
            issuer_id,
            event.credential_id,
            event.assessment_id,
            event.learner_id,
            event.achievement_id,
            event.achievement_version,
            event.status.list_id,
            event.status.index,
            event.supersedes,
            event.created,
            event.valid_until,
        )
        for issuer_id, event in rows
    ]
    # Copied, not inserted, in half the time: the intent begins its stream, so that no row can be there.
    await connection.copy_records_to_table("credential", records=records, columns=ISSUED)


async def _signed(connection: Connection, rows: list[tuple[str, CredentialSigned]]) -> None:
    if rows:
        await connection.execute(
            SIGNED,
            [issuer_id for issuer_id, _ in rows],
            [event.credential_id for _, event in rows],
            [event.signed_at for _, event in rows],
        )


async def _revoked(connection: Connection, rows: list[tuple[str, CredentialRevoked]]) -> None:
    if rows:
        await connection.execute(
            REVOKED,
            [issuer_id for issuer_id, _ in rows],
            [event.credential_id for _, event in rows],
            [event.revoked_at for _, event in rows],
            [event.reason for _, event in rows],
        )


async def _lists(connection: Connection, rows: list[tuple[str, StatusListPublished]]) -> None:
    newest = {(issuer_id, event.list_id): event for issuer_id, event in rows}
    if newest:
        shown = [shown_by(event) for event in newest.values()]
        await connection.execute(
            LISTS,
            [issuer_id for issuer_id, _ in newest],
            [list_id for _, list_id in newest],
            [event.version for event in newest.values()],
            [bits for bits, _ in shown],
            [event.published_at for event in newest.values()],
            [event.valid_until for event in newest.values()],
            [keys[0] for _, keys in shown],
            [" ".join(keys[1:]) for _, keys in shown],
        )


async def _achievements(connection: Connection, rows: list[tuple[str, AchievementPublished]]) -> None:
    if rows:
        await connection.execute(
            ACHIEVEMENTS,
            [issuer_id for issuer_id, _ in rows],
            [event.achievement_id for _, event in rows],
            [event.version for _, event in rows],
            [event.definition.model_dump_json(exclude_none=True).encode() for _, event in rows],
            [event.published_at for _, event in rows],
        )


async def _profiles(connection: Connection, rows: list[tuple[str, IssuerPublished]]) -> None:
    if rows:
        await connection.execute(
            PROFILES,
            [issuer_id for issuer_id, _ in rows],
            [event.profile_version for _, event in rows],
            [event.did for _, event in rows],
            [event.profile.model_dump_json(exclude_none=True).encode() for _, event in rows],
            [event.published_at for _, event in rows],
        )


async def _keys(connection: Connection, rows: list[tuple[str, IssuerKeyPublished]]) -> None:
    if rows:
        await connection.execute(
            KEYS,
            [issuer_id for issuer_id, _ in rows],
            [event.key_id for _, event in rows],
            [event.public_key_multibase for _, event in rows],
            [event.valid_from for _, event in rows],
            [event.published_at or event.valid_from for _, event in rows],
        )


async def _key_ends(connection: Connection, rows: list[tuple[str, IssuerKeyRetired]]) -> None:
    newest = {(issuer_id, event.key_id): event for issuer_id, event in rows}
    if newest:
        await connection.execute(
            KEY_ENDS,
            [issuer_id for issuer_id, _ in newest],
            [key_id for _, key_id in newest],
            [event.ends_at for event in newest.values()],
            [event.reason for event in newest.values()],
        )
