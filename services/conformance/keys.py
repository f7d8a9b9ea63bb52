"""Throw-away keys, one of each kind that the suites ask for, each named by its own did:key."""

from __future__ import annotations

from shared.keys import EphemeralSigner
from shared.proofs import didkey
from shared.proofs.public_keys import KeyKind, PublicKey
from shared.proofs.suites.signatures import MessageSigner


class ThrowAwayKey:
    """A key made at start and forgotten at exit."""

    def __init__(self, public_key: PublicKey, signer: MessageSigner) -> None:
        self.public_key = public_key
        self.signer = signer
        self.did = didkey.did(public_key)
        self.method = didkey.verification_method_id(self.did)


def throw_away_keys() -> dict[KeyKind, ThrowAwayKey]:
    """New keys."""
    signers = {kind: EphemeralSigner(kind) for kind in (KeyKind.ED25519, KeyKind.P256)}
    return {kind: ThrowAwayKey(signer.public_key, signer) for kind, signer in signers.items()}
