"""Signing keys as they are made: a seed that is stored only as an envelope under the master key, never shown.

What a key is called is its issuer's DID and the key itself. Under https an issuer is a did:web and may have
many over time; without, in development, it is a did:key, which is its one key.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime

from shared.contracts.issuers import IssuerKeyPublished
from shared.eventstore import Append, Meta
from shared.keys import SEED_BYTES, EnvelopeSigner, seal_seed
from shared.proofs import didkey, didweb, multikey
from shared.proofs.public_keys import PublicKey
from shared.sealing import MasterKey


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that nobody knows of yet, with its sealed seed."""

    did: str
    key_id: str
    public_key_multibase: str
    envelope: bytes

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


def make_key(master_key: MasterKey, public_url: str, slug: str) -> NewKey:
    """Make a key for the tenant `slug`. Under http the DID is the key's own."""
    seed = os.urandom(SEED_BYTES)
    # The envelope is bound to the key's name, and the name is made of the public key: one to learn it.
    signer = EnvelopeSigner.open(master_key, seal_seed(master_key, seed, slug), slug)
    public_key = PublicKey.ed25519(signer.public_key)
    if public_url.startswith("https://"):
        did = didweb.did(public_url, f"issuers/{slug}")
    else:
        did = didkey.did(public_key)
    named = multikey.encode_public_key(public_key)
    key_id = f"{did}#{named}"
    return NewKey(did, key_id, named, seal_seed(master_key, seed, key_id))
