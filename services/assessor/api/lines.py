"""Cuts a streamed body into numbered lines, holding no more than one line at a time.

Lines end with LF or CRLF; the last may end with the body. A byte-order mark before the first is dropped:
spreadsheets write one. Refuses to hold a line of more than `line_bytes_max`: such a line is passed over to
its end and handed out as None, so that it can be reported under its number.
"""

from __future__ import annotations

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

NumberedLine = tuple[int, bytes | None]
"""(number from 1, bytes without the line's end; None: too long)"""


class LineCutter:
    """Takes chunks as they come and gives whole lines: the same however the body was cut into chunks."""

    def __init__(self, line_bytes_max: int) -> None:
        self._line_bytes_max = line_bytes_max
        self._number = 0
        self._rest = b""
        self._passing_over = False

    def feed(self, chunk: bytes) -> list[NumberedLine]:
        """Return the lines that `chunk` completes."""
        *whole, rest = chunk.split(b"\n")
        lines = [self._line(piece) for piece in whole]
        self._hold(rest)
        return lines

    def close(self) -> list[NumberedLine]:
        """Return the last line, where the body ended without a line end."""
        return [self._line(b"")] if self._rest or self._passing_over else []

    def _line(self, end: bytes) -> NumberedLine:
        self._hold(end)
        self._number += 1
        line = None if self._passing_over else self._rest.removesuffix(b"\r")
        self._rest, self._passing_over = b"", False
        if self._number == 1 and line is not None:
            line = line.removeprefix(BYTE_ORDER_MARK)
        return self._number, line

    def _hold(self, piece: bytes) -> None:
        if self._passing_over or len(self._rest) + len(piece) > self._line_bytes_max:
            self._rest, self._passing_over = b"", True
        else:
            self._rest += piece
