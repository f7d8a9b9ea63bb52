"""Baked badges: what was put in comes out, the picture stays, and what strangers send is bounded."""

from __future__ import annotations

import json
import zlib
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.baking import png, svg
from shared.errors import Invalid
from tests.unit.baking.pictures import BODY, END, HEAD, PNG, SVG, chunk

CREDENTIAL = '{"name": "Ünïcode ]]> & <b>"}'
TOKEN = "e30.e30.sig"
NAMESPACE = "https://purl.imsglobal.org/ob/v3p0"
ROOT = b'<svg xmlns="http://www.w3.org/2000/svg">'


def itxt(text: bytes, flag: int = 0, keyword: bytes = b"openbadgecredential") -> bytes:
    return chunk(b"iTXt", keyword + b"\0" + bytes([flag, 0]) + b"\0\0" + text)


def with_chunks(*chunks: bytes) -> bytes:
    return png.SIGNATURE + HEAD + b"".join(chunks) + BODY + END


def svg_with(content: bytes, before: bytes = b"") -> bytes:
    return before + ROOT + content + b"</svg>"


def element(content: bytes, attribute: bytes = b"") -> bytes:
    name = NAMESPACE.encode()
    return b'<o:credential xmlns:o="' + name + b'" ' + attribute + b">" + content + b"</o:credential>"


@pytest.mark.parametrize("text", [CREDENTIAL, TOKEN])
def test_what_is_baked_into_a_png_comes_out_and_the_picture_stays(text: str) -> None:
    baked = png.bake(PNG, text)
    assert png.unbake(baked) == text
    assert baked == with_chunks(itxt(text.encode()))


def test_what_is_baked_into_an_svg_comes_out_and_the_picture_stays() -> None:
    for text in (CREDENTIAL, TOKEN):
        baked = svg.bake(SVG, text)
        opened = svg.unbake(baked)
        assert opened == text if text == TOKEN else json.loads(opened) == json.loads(text)
        root = ElementTree.fromstring(baked)  # noqa: S314 - our own bytes
        assert root[0].tag == f"{{{NAMESPACE}}}credential"
        root.remove(root[0])
        assert ElementTree.tostring(root) == ElementTree.tostring(ElementTree.fromstring(SVG))  # noqa: S314


@pytest.mark.parametrize(
    "content",
    [b"", b"\n  <g/>", b"<!-- c --><g/>", b"<?p x?>", b"text", b"&amp;", b"<![CDATA[x]]>", b"<g a='/>'/>"],
)
def test_an_svg_is_baked_directly_behind_its_root_whatever_follows(content: bytes) -> None:
    for text in (CREDENTIAL, TOKEN):
        baked = svg.bake(svg_with(content), text)
        assert baked.startswith(ROOT + b"<openbadges:credential")
        assert baked.endswith(content + b"</svg>")
        svg.unbake(baked)


BAD_PNG = {
    "not a PNG": (b"GIF89a", "image-malformed"),
    "without a credential": (PNG, "image-unbaked"),
    "of another keyword": (with_chunks(itxt(b"{}", keyword=b"openbadges")), "image-unbaked"),
    "two credentials": (with_chunks(itxt(b"{}"), itxt(b"{}")), "image-malformed"),
    "compressed": (with_chunks(itxt(zlib.compress(bytes(100_000)), flag=1)), "image-malformed"),
    "not UTF-8": (with_chunks(itxt(b"\xff")), "image-malformed"),
    "cut in its text": (with_chunks(chunk(b"iTXt", b"openbadgecredential\0\0\0")), "image-malformed"),
    "a wrong CRC": (with_chunks(itxt(b"{}"))[:-1] + b"\0", "image-malformed"),
    "a length beyond the end": (png.SIGNATURE + b"\xff\xff\xff\xff" + HEAD[4:], "image-malformed"),
    "no end": (png.SIGNATURE + HEAD + itxt(b"{}"), "image-malformed"),
    "nothing": (png.SIGNATURE, "image-malformed"),
    "something behind its end": (with_chunks(itxt(b"{}")) + b"PK", "image-malformed"),
    "a chunk behind its end": (with_chunks(itxt(b"{}")) + itxt(b"{}"), "image-malformed"),
    "no header": (png.SIGNATURE + itxt(b"{}") + END, "image-malformed"),
    "two headers": (with_chunks(HEAD, itxt(b"{}")), "image-malformed"),
    "a type of digits": (with_chunks(chunk(b"1234", b"")), "image-malformed"),
    "many chunks": (with_chunks(*[chunk(b"tEXt", b"")] * (png.CHUNKS_MAX + 1)), "image-malformed"),
    "large": (with_chunks(chunk(b"tEXt", bytes(png.IMAGE_BYTES_MAX))), "image-too-large"),
}
LAUGHS = b'<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
BAD_SVG = {
    "without a credential": (SVG, "image-unbaked"),
    "of another namespace": (svg_with(b'<o:credential xmlns:o="urn:x">{}</o:credential>'), "image-unbaked"),
    "another root": (b"<html>" + element(b"{}") + b"</html>", "image-malformed"),
    "an svg of no namespace": (b"<svg>" + element(b"{}") + b"</svg>", "image-malformed"),
    "two credentials": (svg_with(element(b"{}") * 2), "image-malformed"),
    "further down": (svg_with(b"<g>" + element(b"{}") + b"</g>"), "image-malformed"),
    "empty": (svg_with(element(b" ")), "image-malformed"),
    "both ways at once": (svg_with(element(b"{}", b"verify='a.b.c'")), "image-malformed"),
    "with elements in it": (svg_with(element(b"{<g/>}")), "image-malformed"),
    "a document type": (svg_with(element(b"{}"), b"<!DOCTYPE svg>"), "image-malformed"),
    "entities that unfold": (svg_with(element(b"&b;"), LAUGHS), "image-malformed"),
    "an entity from outside": (svg_with(element(b"&x;"), OUTSIDE), "image-malformed"),
    "not well-formed": (svg_with(b"<g>"), "image-malformed"),
    "another encoding": ("<?xml version='1.0'?><svg/>".encode("utf-16"), "image-malformed"),
    "deep": (svg_with(b"<g>" * svg.DEPTH_MAX + b"</g>" * svg.DEPTH_MAX), "image-malformed"),
    "many elements": (svg_with(b"<g/>" * svg.ELEMENTS_MAX), "image-malformed"),
    "large": (svg_with(b" " * svg.IMAGE_BYTES_MAX), "image-too-large"),
}


@pytest.mark.parametrize(("data", "code"), BAD_PNG.values(), ids=BAD_PNG.keys())
def test_a_png_that_cannot_be_trusted_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        png.unbake(data)
    assert refused.value.code == code


@pytest.mark.parametrize(("data", "code"), BAD_SVG.values(), ids=BAD_SVG.keys())
def test_an_svg_that_cannot_be_trusted_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        svg.unbake(data)
    assert refused.value.code == code


def test_a_picture_that_is_baked_is_not_baked_again() -> None:
    for kind, picture in ((png, PNG), (svg, SVG)):
        with pytest.raises(Invalid) as refused:
            kind.bake(kind.bake(picture, CREDENTIAL), TOKEN)
        assert refused.value.code == "image-baked"
        with pytest.raises(Invalid) as refused:
            kind.bake(picture, "{" + " " * kind.IMAGE_BYTES_MAX)
        assert refused.value.code == "image-too-large"


def test_a_root_without_room_is_not_baked() -> None:
    with pytest.raises(Invalid):
        svg.bake(b'<svg xmlns="http://www.w3.org/2000/svg"/>', CREDENTIAL)


@given(st.data())
def test_an_altered_picture_gives_its_credential_or_a_refusal_and_nothing_else(data: st.DataObject) -> None:
    kind, picture = data.draw(st.sampled_from([(png, PNG), (svg, SVG)]))
    baked = bytearray(kind.bake(picture, CREDENTIAL))
    places = st.dictionaries(st.integers(0, len(baked) - 1), st.integers(0, 255))
    for place, value in data.draw(places).items():
        baked[place] = value
    try:
        outcome = kind.unbake(bytes(baked))
    except Invalid as refusal:
        outcome = refusal.code
    assert isinstance(outcome, str)
