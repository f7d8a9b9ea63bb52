"""Signing keys as they are made: on the PKCS#11 token, where there is one, which they never leave; or else as
a seed that is stored only as an envelope under the master key, and never shown.

What a key is called is its issuer's DID and the key itself. Under https an issuer is a did:web and may have
many over time; without, in development, it is a did:key, which is its one key.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from datetime import datetime

from services.issuer.signing_key_store import KeptKey
from shared.contracts.issuers import IssuerKeyPublished
from shared.eventstore import Append, Meta
from shared.keys import SEED_BYTES, EnvelopeSigner, seal_seed
from shared.proofs import didkey, didweb, multikey
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


async def make_key(master_key: MasterKey, token: Token | None, public_url: str, slug: str) -> NewKey:
    """Make a key for the tenant `slug`, on `token` if there is one. Under http the DID is the key's own.

    Raises Unavailable where the token does not answer.
    """
    if token is not None:
        made = await asyncio.to_thread(token.make_key, f"microcred {slug}")
        did, key_id, named = _names(made.public_key, public_url, slug)
        return NewKey(did, key_id, named, KeptKey(token_object=made.object_id))
    seed = os.urandom(SEED_BYTES)
    # The envelope is bound to the key's name, and the name is made of the public key: one to learn it.
    signer = EnvelopeSigner.open(master_key, seal_seed(master_key, seed, slug), slug)
    did, key_id, named = _names(signer.public_key, public_url, slug)
    return NewKey(did, key_id, named, KeptKey(envelope=seal_seed(master_key, seed, key_id)))


def _names(raw_public_key: bytes, public_url: str, slug: str) -> tuple[str, str, str]:
    """(DID, key id, Multikey) of a tenant's new key."""
    public_key = PublicKey.ed25519(raw_public_key)
    if public_url.startswith("https://"):
        did = didweb.did(public_url, f"issuers/{slug}")
    else:
        did = didkey.did(public_key)
    named = multikey.encode_public_key(public_key)
    return did, f"{did}#{named}", named
