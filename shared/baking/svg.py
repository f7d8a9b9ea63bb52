"""A credential in an SVG: an element `openbadges:credential` directly below `<svg>`.

A compact JWS stands in its attribute `verify`, JSON in its content. The file is XML of strangers, so it is
read by expat with everything off that XML is feared for: a document type is refused where it begins, and
with it every entity; nothing is fetched and nothing expands. Refuses other encodings than UTF-8, another
root than svg, a second credential, and everything beyond the limits.
"""

from __future__ import annotations

from typing import NoReturn
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from shared.errors import Invalid

IMAGE_BYTES_MAX = 1 << 20
ELEMENTS_MAX = 20_000
DEPTH_MAX = 64

_ROOT = "http://www.w3.org/2000/svg svg"
_NAMESPACE = "https://purl.imsglobal.org/ob/v3p0"
_CREDENTIAL = f"{_NAMESPACE} credential"


def is_svg(data: bytes) -> bool:
    """Whether `data` claims to be XML, and with it an SVG."""
    return data.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").startswith(b"<")


def unbake(data: bytes) -> str:
    """The credential's text. Raises Invalid: `image-malformed`, or `image-unbaked` where there is none."""
    reader = _Reader(data)
    if not reader.credentials:
        raise Invalid("image-unbaked", "The image holds no credential.")
    verify, content = reader.credentials[0]
    if (verify is None) == (not content.strip()):
        raise _malformed("its credential is empty, or there twice")
    return content if verify is None else verify


def bake(data: bytes, credential: str) -> bytes:
    """The same picture with the credential in it, first below `<svg>`.

    Raises Invalid: `image-malformed`, `image-baked` where there is one already, `image-too-large`.
    """
    reader = _Reader(data)
    if reader.credentials:
        raise Invalid("image-baked", "The image holds a credential already.")
    opening = f'<openbadges:credential xmlns:openbadges="{_NAMESPACE}"'
    if credential.lstrip().startswith("{"):
        # Within JSON these three characters stand in strings alone, where one of them may be escaped.
        content = credential.replace("]]>", "]]\\u003e")
        element = f"{opening}><![CDATA[{content}]]></openbadges:credential>"
    else:
        element = f"{opening} verify={quoteattr(credential)}/>"
    baked = data[: reader.inside] + element.encode() + data[reader.inside :]
    if len(baked) > IMAGE_BYTES_MAX:
        raise _too_large()
    return baked


class _Reader:
    """One pass over a file. `credentials` are (verify, content), `inside` the place behind `<svg …>`."""

    def __init__(self, data: bytes) -> None:
        if len(data) > IMAGE_BYTES_MAX:
            raise _too_large()
        self.credentials: list[tuple[str | None, str]] = []
        self.inside = 0
        self._data = data
        self._open: list[str] = []
        self._elements = 0
        self._content: list[str] = []
        self._parser = parser = expat.ParserCreate("UTF-8", " ")
        parser.StartDoctypeDeclHandler = _refuse_document_type
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        # Whatever comes first below the root, comments and white space too, tells where its tag ended.
        parser.CommentHandler = parser.ProcessingInstructionHandler = self._other
        parser.StartCdataSectionHandler = self._other
        try:
            parser.Parse(data, True)
        except expat.ExpatError as cause:
            raise _malformed("it is not well-formed XML") from cause

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._entered()
        self._elements += 1
        if not self._open and name != _ROOT:
            raise _malformed("its root is not svg")
        if self._elements > ELEMENTS_MAX or len(self._open) >= DEPTH_MAX:
            raise _malformed("it has more elements than are read")
        if _CREDENTIAL in self._open:
            raise _malformed("its credential is not text")
        self._open.append(name)
        if name == _CREDENTIAL:
            if len(self._open) != 2 or self.credentials:
                raise _malformed("its credential is not where it has to be, or there twice")
            self.credentials.append((attributes.get("verify"), ""))

    def _end(self, name: str) -> None:
        self._entered()
        self._open.pop()
        if name == _CREDENTIAL:
            self.credentials[0] = (self.credentials[0][0], "".join(self._content))

    def _text(self, text: str) -> None:
        self._entered()
        if self._open and self._open[-1] == _CREDENTIAL:
            self._content.append(text)

    def _other(self, *_: str) -> None:
        self._entered()

    def _entered(self) -> None:
        if len(self._open) == 1 and not self.inside:
            place = self._parser.CurrentByteIndex
            if self._data[place - 1 : place] != b">" or self._data[place - 2 : place] == b"/>":
                raise _malformed("there is no room in its root")
            self.inside = place


def _refuse_document_type(*_: object) -> NoReturn:
    raise _malformed("it has a document type")


def _malformed(reason: str) -> Invalid:
    return Invalid("image-malformed", "The image is not an SVG that can be read.", (reason,))


def _too_large() -> Invalid:
    return Invalid("image-too-large", f"An image has {IMAGE_BYTES_MAX} bytes at most.")
