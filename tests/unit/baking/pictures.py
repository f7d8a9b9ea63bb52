"""Pictures to bake: the smallest PNG that shows something, and an SVG."""

from __future__ import annotations

import zlib

from shared.baking.png import SIGNATURE


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk with its CRC, written a second time, by the book."""
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


HEAD = chunk(b"IHDR", bytes([0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]))
BODY = chunk(b"IDAT", zlib.compress(b"\0\x7f"))
END = chunk(b"IEND", b"")
PNG = SIGNATURE + HEAD + BODY + END
SVG = b"""<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="M0 0"/></svg>"""
