"""A credential in a PNG: one uncompressed iTXt chunk with the keyword `openbadgecredential`.

The picture itself is never decoded; its chunks are walked (PNG 1.2 §5). Refuses a file that is not exactly
one PNG from IHDR to IEND, a chunk whose CRC is wrong, a second credential, one that is compressed (Open
Badges 3.0 wants it plain, and so nothing here can unfold), and everything beyond the limits.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from shared.errors import Invalid

IMAGE_BYTES_MAX = 1 << 20
CHUNKS_MAX = 4_096

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEYWORD = b"openbadgecredential"
_TEXT = b"iTXt"
_HEAD_BYTES = 13


@dataclass(frozen=True, slots=True)
class _Chunk:
    kind: bytes
    data: bytes
    end: int


def is_png(data: bytes) -> bool:
    """Whether `data` claims to be a PNG."""
    return data.startswith(SIGNATURE)


def unbake(data: bytes) -> str:
    """The credential's text. Raises Invalid: `image-malformed`, or `image-unbaked` where there is none."""
    baked = [chunk.data for chunk in _chunks(data) if _is_credential(chunk)]
    if not baked:
        raise Invalid("image-unbaked", "The image holds no credential.")
    if len(baked) > 1:
        raise _malformed("it holds more than one credential")
    return _text(baked[0])


def bake(data: bytes, credential: str) -> bytes:
    """The same picture with the credential in it, behind the header, where readers look first.

    Raises Invalid: `image-malformed`, `image-baked` where there is one already, `image-too-large`.
    """
    chunks = list(_chunks(data))
    if any(_is_credential(chunk) for chunk in chunks):
        raise Invalid("image-baked", "The image holds a credential already.")
    # Keyword, no compression (flag and method), no language, no translated keyword.
    text = _KEYWORD + b"\0" + b"\0\0" + b"\0" + b"\0" + credential.encode()
    head = chunks[0].end
    baked = data[:head] + _chunk(_TEXT, text) + data[head:]
    if len(baked) > IMAGE_BYTES_MAX:
        raise _too_large()
    return baked


def _chunks(data: bytes) -> Iterator[_Chunk]:
    if len(data) > IMAGE_BYTES_MAX:
        raise _too_large()
    if not is_png(data):
        raise _malformed("it does not begin like a PNG")
    place, number, last = len(SIGNATURE), 0, b""
    while place < len(data):
        chunk = _chunk_at(data, place)
        if (number == 0) != (chunk.kind == b"IHDR") or (number == 0 and len(chunk.data) != _HEAD_BYTES):
            raise _malformed("its header is not where and what it has to be")
        if last == b"IEND" or (chunk.kind == b"IEND" and chunk.data):
            raise _malformed("something follows its end")
        if number >= CHUNKS_MAX:
            raise _malformed(f"it has more than {CHUNKS_MAX} chunks")
        place, number, last = chunk.end, number + 1, chunk.kind
        yield chunk
    if last != b"IEND":
        raise _malformed("it is cut short")


def _chunk_at(data: bytes, place: int) -> _Chunk:
    """The chunk at `place`: length, type, data, CRC over type and data."""
    length = int.from_bytes(data[place : place + 4], "big")
    kind, end = data[place + 4 : place + 8], place + 12 + length
    if end > len(data):
        raise _malformed("it is cut short")
    if not kind.isalpha():
        raise _malformed("a chunk has no type")
    content = data[place + 8 : end - 4]
    if zlib.crc32(kind + content).to_bytes(4, "big") != data[end - 4 : end]:
        raise _malformed("the CRC of a chunk is wrong")
    return _Chunk(kind, content, end)


def _chunk(kind: bytes, data: bytes) -> bytes:
    crc = zlib.crc32(kind + data).to_bytes(4, "big")
    return len(data).to_bytes(4, "big") + kind + data + crc


def _is_credential(chunk: _Chunk) -> bool:
    return chunk.kind == _TEXT and chunk.data.partition(b"\0")[0] == _KEYWORD


def _text(data: bytes) -> str:
    """The text of an iTXt chunk (PNG 1.2 §4.2.3.3)."""
    flags, rest = data[len(_KEYWORD) + 1 : len(_KEYWORD) + 3], data[len(_KEYWORD) + 3 :]
    if flags != b"\0\0":
        raise _malformed("its credential is compressed")
    fields = rest.split(b"\0", 2)
    if len(fields) < 3:
        raise _malformed("its credential is cut short")
    try:
        return fields[2].decode("utf-8", "strict")
    except UnicodeDecodeError as cause:
        raise _malformed("its credential is not UTF-8") from cause


def _malformed(reason: str) -> Invalid:
    return Invalid("image-malformed", "The image is not a PNG that can be read.", (reason,))


def _too_large() -> Invalid:
    return Invalid("image-too-large", f"An image has {IMAGE_BYTES_MAX} bytes at most.")
