"""What a key can be, without cryptography: for decisions and events, which speak of keys and use none."""

from __future__ import annotations

from enum import StrEnum

_FIRST_LETTERS = {"z6Mk": "Ed25519", "zDn": "P-256"}


class KeyKind(StrEnum):
    """What a key is, and with it the one algorithm that it is used with."""

    ED25519 = "Ed25519"
    P256 = "P-256"
    RSA = "RSA"


def kind_of(public_key_multibase: str) -> KeyKind:
    """The kind of a key of ours, as its first letters tell it: those of its multicodec in base58.

    Only for what was published here: what a stranger writes is decoded (shared/proofs/multikey.py).
    """
    found = (kind for letters, kind in _FIRST_LETTERS.items() if public_key_multibase.startswith(letters))
    return KeyKind(next(found, KeyKind.RSA))
