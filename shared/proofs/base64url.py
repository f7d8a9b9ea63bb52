"""base64url without padding (RFC 7515 §2), read strictly: bytes have one spelling.

Refuses padding, white space, letters of the other alphabet, lengths that no bytes have, and a last letter
with bits that mean nothing. A reader that lets any of these pass accepts two texts for one signed value.
"""

from __future__ import annotations

import base64
import re

from shared.errors import Invalid

_ALPHABET = re.compile(r"[A-Za-z0-9_-]*")


def encode(data: bytes) -> str:
    """The one spelling of `data`."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode(text: str) -> bytes:
    """The bytes of which `text` is the one spelling; `Invalid` with code `base64url-malformed`."""
    if not _ALPHABET.fullmatch(text) or len(text) % 4 == 1:
        raise _malformed()
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(data) != text:
        raise _malformed()
    return data


def _malformed() -> Invalid:
    return Invalid("base64url-malformed", "The value is not base64url without padding.")
