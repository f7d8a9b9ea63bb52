"""What is decided about signing keys, without I/O: which one signs now, when a new one begins, how one ends.

A tenant has keys of one kind or of several, and each kind has its own course. A new key is published before
it signs, so that whoever keeps a copy of the DID document knows it by then. A kind that signs goes on
signing: its last key is never retired. What a key signed before its end stays good, so nothing here ever
takes a key away.

Refused: a second key for a did:key, whose key is its name, and an end in the future.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.contracts.issuers import IssuerKeyRetired, KeyRetirement
from shared.errors import Conflict, Invalid, NotFound
from shared.key_kinds import KeyKind, kind_of


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """A tenant's key. It signs from `valid_from` until it is retired; what bears a moment from `ends_at` on
    is not its work."""

    key_id: str
    public_key_multibase: str
    published_at: datetime
    valid_from: datetime
    ends_at: datetime | None = None
    retired_as: KeyRetirement | None = None

    @property
    def name(self) -> str:
        """What people call it: the fragment of its id."""
        return self.key_id.partition("#")[2]

    @property
    def kind(self) -> KeyKind:
        """What it is, and so which forms it signs."""
        return kind_of(self.public_key_multibase)

    def signs_at(self, at: datetime) -> bool:
        """Whether it may sign at the moment `at`."""
        return self.retired_as is None and self.valid_from <= at

    def waits_at(self, at: datetime) -> bool:
        """Whether it is published at the moment `at` and does not sign yet."""
        return self.retired_as is None and at < self.valid_from


def signing_key(keys: Sequence[PublishedKey], at: datetime, kind: KeyKind) -> PublishedKey | None:
    """The key of a kind that signs what is begun at the moment `at`: the newest that may, if one may."""
    able = [key for key in keys if key.kind is kind and key.signs_at(at)]
    return max(able, key=_in_order, default=None)


def first_to_sign(keys: Sequence[PublishedKey], kind: KeyKind) -> PublishedKey | None:
    """The key of a kind that waits least, or waits no more."""
    return min(
        (key for key in keys if key.kind is kind and key.retired_as is None), key=_in_order, default=None
    )


def first_use(
    did: str,
    keys: Sequence[PublishedKey],
    kind: KeyKind,
    *,
    overlap: timedelta,
    at_once: bool,
    at: datetime,
) -> datetime:
    """The moment from which one more key of a kind, published at `at`, signs. Raises Conflict if there may be
    none.

    `at_once` leaves the overlap out, for when there is no key left that should sign meanwhile.
    """
    demand_rotatable(did)
    if at_once:
        return at
    waiting = next((key for key in keys if key.kind is kind and key.waits_at(at)), None)
    if waiting is not None:
        raise Conflict(
            "signing-key-waiting",
            f"A new {kind} key is published already and signs from"
            f" {waiting.valid_from:%Y-%m-%d %H:%M} UTC on.",
        )
    return at + overlap


def demand_rotatable(did: str) -> None:
    """Raise Conflict('did-key-fixed') for an issuer that is its key."""
    if did.startswith("did:key:"):
        raise Conflict(
            "did-key-fixed",
            "This issuer is a did:key: its one key is its name, and with another key it would be another"
            " issuer. Keys of issuers under an https PUBLIC_URL can be changed.",
        )


def decide_retire_key(
    did: str,
    keys: Sequence[PublishedKey],
    name: str,
    reason: KeyRetirement,
    *,
    since: datetime | None,
    at: datetime,
) -> list[IssuerKeyRetired]:
    """The end of the key `name`, or nothing if it has ended like that.

    `since`: the moment from which a compromised key counts as somebody else's; `at` if not known. Raises
    NotFound for an unknown key, Invalid for a moment that is yet to come, and Conflict where no other key of
    its kind signs, or for a compromised key that would end later than it did.
    """
    demand_rotatable(did)
    key = next((key for key in keys if key.name == name), None)
    if key is None:
        raise NotFound("signing-key-unknown", "This issuer has no such signing key.")
    ends_at = since if reason == "compromised" and since is not None else at
    if ends_at > at:
        raise Invalid("signing-key-end", "The moment of the end is yet to come.")
    if key.retired_as is None:
        _demand_another(keys, key, at)
    elif key.ends_at is not None:
        if reason == "superseded" or (key.retired_as, key.ends_at) == (reason, ends_at):
            return []
        if key.retired_as == reason and ends_at > key.ends_at:
            raise Conflict(
                "signing-key-compromised",
                f"The key counts as compromised since {key.ends_at:%Y-%m-%d %H:%M} UTC; no later moment can"
                " take that back.",
            )
        ends_at = min(ends_at, key.ends_at)
    return [
        IssuerKeyRetired(
            did=did,
            key_id=key.key_id,
            public_key_multibase=key.public_key_multibase,
            reason=reason,
            ends_at=ends_at,
            retired_at=at,
        )
    ]


def demand_signable(key: PublishedKey, created: datetime) -> None:
    """Raise Invalid('signing-key-compromised') if no verifier of ours would believe a signature of `created`.

    An intent may have been stored just before its key turned out to be somebody else's.
    """
    if key.retired_as == "compromised" and key.ends_at is not None and created >= key.ends_at:
        raise Invalid(
            "signing-key-compromised", "The key of this credential was compromised before it was issued."
        )


def _demand_another(keys: Sequence[PublishedKey], key: PublishedKey, at: datetime) -> None:
    if not any(other.signs_at(at) for other in keys if other is not key and other.kind is key.kind):
        raise Conflict(
            "signing-key-needed",
            f"No other {key.kind} key of this issuer signs yet. Publish one with 'microcred signing-keys"
            f" rotate --kind {key.kind}' and retire this one when that signs; with --at-once it signs at"
            " once.",
        )


def _in_order(key: PublishedKey) -> tuple[datetime, str]:
    return key.valid_from, key.key_id
