"""Signing keys as they are made: on the PKCS#11 token, where there is one, which they never leave; or else in
an envelope under the master key, and never shown.

What a key is called is its issuer's DID and a fragment. That is the key itself as a Multikey, so that a
verifier may use it without a resolver; for RSA, which has no Multikey, the key's thumbprint (RFC 7638). Under
https an issuer is a did:web and may have many keys over time and of several kinds; without, in development,
it is a did:key, which is its one key.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from services.issuer.signing_key_store import KeptKey
from shared.contracts.issuers import IssuerKeyPublished
from shared.eventstore import Append, Meta
from shared.key_kinds import KeyKind
from shared.keys import make_private_key, public_key_of, seal_private_key
from shared.proofs import didkey, didweb, jwk, multikey
from shared.proofs.public_keys import PublicKey
from shared.sealing import MasterKey
from shared.tokens import Token


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that nobody knows of yet, and how its private half is to be kept."""

    did: str
    key_id: str
    public_key_multibase: str
    kept: KeptKey

    def published(self, slug: str, *, at: datetime, valid_from: datetime, meta: Meta) -> Append:
        """The fact that it is a key of the tenant `slug`, which signs from `valid_from` on."""
        event = IssuerKeyPublished(
            did=self.did,
            key_id=self.key_id,
            public_key_multibase=self.public_key_multibase,
            valid_from=valid_from,
            published_at=at,
        )
        return Append(slug, event.stream, 0, (event,), meta)


async def make_key(
    master_key: MasterKey, token: Token | None, public_url: str, slug: str, kind: KeyKind
) -> NewKey:
    """Make a key for the tenant `slug`, on `token` if there is one. Under http the DID is the key's own.

    Raises Unavailable where the token does not answer.
    """
    if token is not None:
        made = await asyncio.to_thread(token.make_key, f"microcred {slug}", kind)
        did, key_id = _names(made.public_key, public_url, slug)
        return NewKey(did, key_id, multikey.key_text(made.public_key), KeptKey(token_object=made.object_id))
    private_key = await asyncio.to_thread(make_private_key, kind)  # RSA takes its time
    public_key = public_key_of(private_key)
    did, key_id = _names(public_key, public_url, slug)
    kept = KeptKey(envelope=seal_private_key(master_key, private_key, key_id))
    return NewKey(did, key_id, multikey.key_text(public_key), kept)


def _names(public_key: PublicKey, public_url: str, slug: str) -> tuple[str, str]:
    """(DID, key id) of a tenant's new key."""
    if public_url.startswith("https://"):
        did = didweb.did(public_url, f"issuers/{slug}")
    else:
        did = didkey.did(public_key)
    named = (
        jwk.thumbprint(public_key)
        if public_key.kind is KeyKind.RSA
        else multikey.encode_public_key(public_key)
    )
    return did, f"{did}#{named}"
