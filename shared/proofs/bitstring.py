"""Bitstring Status List 1.0: one bit a credential, compressed, in the text of a list credential.

Index 0 is the left-most (most significant) bit of the first byte. A list never has fewer than 131,072 bits,
because a short list tells who looks at which credential. `encodedList` is `u` + base64url without padding
of the gzipped bits.

Reading refuses what two readers might read differently, or what fills the memory: padding, other prefixes,
non-canonical base64, data after the gzip member (a second member too), a list that is too short, and one
that inflates beyond the limit.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from shared.errors import Invalid
from shared.proofs import base64url

LENGTH_MIN = 131_072
INFLATED_BYTES_MAX = 1_048_576  # 8.4 million credentials
ENCODED_CHARS_MAX = 1_500_000  # INFLATED_BYTES_MAX of incompressible bits, as base64url

_GZIP_LEVEL = 6
_GZIP = 16 + zlib.MAX_WBITS
_RAW_DEFLATE = -zlib.MAX_WBITS
# Magic, deflate, no flags, time 0, no extra flags, unknown system: equal bits make equal text at any hour.
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


@dataclass(frozen=True, slots=True)
class Bitstring:
    """A list of bits; `data` holds bit 0 as the top bit of its first byte."""

    data: bytes

    def __post_init__(self) -> None:
        if len(self) < LENGTH_MIN:
            raise Invalid("status-list-length", f"A status list has at least {LENGTH_MIN} entries.")

    @classmethod
    def zeros(cls, length: int = LENGTH_MIN) -> Bitstring:
        """A list in which nothing is set; `length` in bits is a multiple of 8 and at least `LENGTH_MIN`."""
        if length % 8:
            raise Invalid("status-list-length", "The length of a status list is a multiple of 8.")
        return cls(bytes(length // 8))

    def __len__(self) -> int:
        """The number of entries (bits)."""
        return 8 * len(self.data)

    def get(self, index: int) -> bool:
        """The bit at `index`; `Invalid` with code `status-index-range` outside the list."""
        byte, mask = self._locate(index)
        return bool(self.data[byte] & mask)

    def with_bits(self, indexes: Iterable[int], value: bool = True) -> Bitstring:
        """A list with the bits at `indexes` set to `value` and all others as they are."""
        changed = bytearray(self.data)
        for index in indexes:
            byte, mask = self._locate(index)
            changed[byte] = changed[byte] | mask if value else changed[byte] & ~mask
        return Bitstring(bytes(changed))

    def encode(self) -> str:
        """The `encodedList` of this list; the same bits give the same text."""
        deflate = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _RAW_DEFLATE)
        body = deflate.compress(self.data) + deflate.flush()
        checksum = zlib.crc32(self.data).to_bytes(4, "little")
        size = (len(self.data) % 2**32).to_bytes(4, "little")
        return "u" + base64url.encode(_GZIP_HEADER + body + checksum + size)

    def _locate(self, index: int) -> tuple[int, int]:
        if not 0 <= index < len(self):
            raise Invalid("status-index-range", "The status index is outside the status list.")
        return index >> 3, 0x80 >> (index & 7)


def decode(text: str, inflated_bytes_max: int = INFLATED_BYTES_MAX) -> Bitstring:
    """The list in an `encodedList`; `Invalid` with code `status-list-malformed` or `status-list-length`."""
    compressed = _base64url(text)
    inflate = zlib.decompressobj(_GZIP)
    try:
        data = inflate.decompress(compressed, inflated_bytes_max + 1)
    except zlib.error as cause:
        raise _malformed("it is not gzip") from cause
    if len(data) > inflated_bytes_max:
        raise _malformed(f"it inflates to more than {inflated_bytes_max} bytes")
    if not inflate.eof:
        raise _malformed("its gzip member is cut short")
    if inflate.unused_data:
        raise _malformed("something follows its gzip member")
    return Bitstring(data)


def _base64url(text: str) -> bytes:
    if not text.startswith("u"):
        raise _malformed("it does not start with u (multibase base64url)")
    if len(text) > ENCODED_CHARS_MAX:
        raise _malformed(f"it is longer than {ENCODED_CHARS_MAX} characters")
    try:
        return base64url.decode(text[1:])
    except Invalid as cause:
        raise _malformed("it is not base64url without padding") from cause


def _malformed(reason: str) -> Invalid:
    return Invalid("status-list-malformed", "The encoded status list cannot be read.", (reason,))
