"""Lines and rows of bulk bodies: however they arrive, one bad row costs one row."""

from __future__ import annotations

import codecs
import copy
import json
from collections.abc import Iterator
from functools import reduce
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assessor.api.examples import CSV, LEVELS, NDJSON
from services.assessor.api.lines import LineCutter, NumberedLine
from services.assessor.api.rows import UTF_16_TOLD, CsvRows, NdjsonRows
from services.assessor.api.submission import SubmissionBody
from shared.errors import Invalid

HEADER, ROW, _ = CSV.encode().split(b"\n")


def cut(chunks: list[bytes], line_bytes_max: int = 100) -> list[NumberedLine]:
    cutter = LineCutter(line_bytes_max)
    return [line for chunk in chunks for line in cutter.feed(chunk)] + cutter.close()


def header_read() -> CsvRows:
    reader = CsvRows()
    assert reader.read(HEADER) is None
    return reader


@given(st.lists(st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b""))), st.data())
def test_the_same_lines_come_out_however_a_body_is_cut(lines: list[bytes], data: st.DataObject) -> None:
    body = b"".join(line + b"\n" for line in lines)
    places = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=10)))
    chunks = [body[a:b] for a, b in pairwise([0, *places, len(body)])]
    assert cut(chunks, 20) == cut([body], 20)
    expected = [None if len(line) > 20 else line.removesuffix(b"\r") for line in lines]
    if expected and expected[0] is not None:
        expected[0] = expected[0].removeprefix(b"\xef\xbb\xbf")
    assert cut(chunks, 20) == list(enumerate(expected, start=1))


def test_the_last_line_may_end_with_the_body() -> None:
    assert cut([b"a\nb"]) == [(1, b"a"), (2, b"b")]
    assert cut([b"a\nb\n"]) == [(1, b"a"), (2, b"b")]
    assert cut([b""]) == []


def test_a_line_that_is_too_long_is_passed_over_without_being_held() -> None:
    cutter = LineCutter(10)
    for _ in range(1_000):
        assert cutter.feed(b"x" * 10) == []
        assert len(cutter._rest) <= 10
    assert cutter.feed(b"\nshort\n") == [(1, None), (2, b"short")]


def test_both_formats_read_to_the_same_submission() -> None:
    row = header_read().read(ROW)
    assert row is not None
    as_json = row.model_dump_json(exclude_defaults=True).encode()
    assert NdjsonRows().read(as_json) == row
    assert row.learner.reference == "S202609004"
    assert row.results["method"] == "developing"
    assert row.evidence[0].url == "https://portfolio.example.org/daps/9004"
    assert NdjsonRows().read(NDJSON.encode()) is not None


def test_empty_cells_are_absent_and_blank_lines_are_none() -> None:
    row = header_read().read(ROW.replace(b"S202609004", b"").replace(b",developing,", b", ,"))
    assert row is not None
    assert row.learner.reference is None
    assert "method" not in row.results
    assert header_read().read(b"  ") is None
    assert NdjsonRows().read(b" ") is None


def test_quoted_cells_hold_commas_and_quotes() -> None:
    row = header_read().read(ROW.replace("Åsa Lind".encode(), '"Lind, ""Å"""'.encode()))
    assert row is not None
    assert row.learner.name == 'Lind, "Å"'


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (ROW.replace(b"J. van Dijk", b'"J. van Dijk'), "row-invalid"),
        (ROW.replace(b"J. van Dijk", b'"J." van Dijk'), "row-invalid"),
        (ROW + b",more", "row-invalid"),
        (ROW.rpartition(b",")[0], "row-invalid"),
        (ROW.replace(b"Lind", b"\xff"), "row-not-utf8"),
        (ROW.replace(b"asa.lind@", b"asa.lind"), "row-invalid"),
        (ROW.replace(b"Lind", b"Li\x00nd"), "row-invalid"),
        (ROW.replace(b"2026-06-15T09:00:00Z", b"2026-06-15T09:00:00"), "row-invalid"),
        (ROW.replace(b"https:", b"javascript:"), "row-invalid"),
    ],
)
def test_a_bad_row_is_refused_and_the_next_is_read(line: bytes, code: str) -> None:
    reader = header_read()
    with pytest.raises(Invalid) as refused:
        reader.read(line)
    assert refused.value.code == code
    assert "Lind" not in str(refused.value)
    assert not reader.done
    assert reader.read(ROW) is not None


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (HEADER.replace(b"assessor,", b""), "assessor: missing"),
        (HEADER.replace(b"supervision,", b"supervision,supervision,"), "column 8: named before"),
        (HEADER + b",grade", "column 15: not a column of this format"),
        (HEADER + b",result:Bad Id", "column 15: not a column of this format"),
        (HEADER.partition(b",result:")[0], "result:<criterion>: no column for any criterion"),
        (b",".join([b"x"] * 200), "there are more than 100 columns"),
        (
            HEADER.replace(b",", b";"),
            "the columns are separated by semicolons: export the file with commas, and send that",
        ),
        (
            HEADER.replace(b",", b"\t"),
            "the columns are separated by tabs: export the file with commas, and send that",
        ),
    ],
)
def test_a_bad_header_leaves_nothing_to_read_by(header: bytes, reason: str) -> None:
    reader = CsvRows()
    with pytest.raises(Invalid) as refused:
        reader.read(header)
    assert refused.value.code == "csv-header-invalid"
    assert reason in refused.value.reasons
    assert reader.done


@pytest.mark.parametrize("reader", [CsvRows, NdjsonRows])
@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_a_file_in_utf16_is_told_to_be_one_and_nothing_more_of_it_is_read(
    reader: type[CsvRows] | type[NdjsonRows], mark: bytes
) -> None:
    kind = "utf-16-le" if mark == codecs.BOM_UTF16_LE else "utf-16-be"
    rows = reader()
    with pytest.raises(Invalid) as refused:
        rows.read(mark + HEADER.decode().encode(kind))
    assert refused.value.code == "body-not-utf8"
    assert refused.value.reasons == (UTF_16_TOLD,)
    assert rows.done


def test_the_id_of_a_bad_row_is_told_where_it_can_be() -> None:
    reader = header_read()
    assert reader.assessment_id(ROW.replace(b"asa.lind@", b"")) == "DAPS-2026-C-0001"
    assert reader.assessment_id(b'"open') is None
    assert reader.assessment_id(b"not an id,") is None
    assert NdjsonRows().assessment_id(b'{"assessment_id": "A-1", "x": 1}') == "A-1"
    for line in (b"[]", b"{}", b"nonsense", b'{"assessment_id": 7}', b'{"assessment_id": "a b"}'):
        assert NdjsonRows().assessment_id(line) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"assessed_at": 1_700_000_000},
        {"assessed_at": "1700000000"},
        {"assessed_at": "2026-06-15"},
        {"assessed_at": "2026-02-30T09:00:00Z"},
        {"assessed_at": "0001-01-01T00:00:00+14:00"},
        {"results": {}},
        {"results": {"method": True}},
        {"results": {"method": 1.0}},
        {"results": {"method": -1}},
        {"grade": "A"},
        {"assessment_id": "a/b"},
        {"assessment_id": ""},
        {"achievement_id": "daps"},
        {"achievement_version": 0},
        {"learner": {"name": "Zoë", "email": "zoe"}},
        {"learner": {"name": "Zoë\nBcc: x", "email": "zoe@example.org"}},
        {"learner": {"name": "\u2028", "email": "zoe@example.org"}},
        {"learner": {"name": "Zoë", "email": "zoe@example.org\x01"}},
        {"evidence": [{"url": "https://example.org"}] * 21},
        {"evidence": [{"url": "https://example.org/a\x00b"}]},
        {"narrative": "a\x00b"},
        {"narrative": "a\ud800b"},
        {"achievement_version": float("nan")},
        {"results": {"method": float("nan")}},
        {"results": {"method": float("inf")}},
    ],
)
def test_what_a_submission_may_not_hold(changes: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        NdjsonRows().read(json.dumps(LEVELS | changes).encode())


def objects(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The places of all objects within a value."""
    if isinstance(value, dict):
        yield place
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for step, child in children:
        yield from objects(child, (*place, step))


WHOLE = json.loads(json.dumps(LEVELS)) | {"evidence": [{"url": "https://example.org", "name": "It"}] * 2}
KEYS = [
    (place, key) for place in objects(WHOLE) for key in reduce(lambda value, step: value[step], place, WHOLE)
]


@pytest.mark.parametrize(("place", "key"), KEYS)
@pytest.mark.parametrize("end", ['":', '" :', '"\t:', '"\r \t :'])
def test_a_row_with_one_key_twice_is_refused_wherever_it_stands(
    place: tuple[str | int, ...], key: str, end: str
) -> None:
    doubled = copy.deepcopy(WHOLE)
    within = reduce(lambda value, step: value[step], place, doubled)
    within["twice"] = within[key]
    line = json.dumps(doubled).replace('"twice":', f'"{key}{end}')
    with pytest.raises(Invalid) as refused:
        NdjsonRows().read(line.encode())
    assert refused.value.code == "json-duplicate-key"


def test_a_key_spelled_otherwise_is_the_same_key() -> None:
    line = json.dumps(LEVELS)[:-1] + ', "\\u0061ssessor": "Another"}'
    with pytest.raises(Invalid, match="one key twice"):
        NdjsonRows().read(line.encode())


@pytest.mark.parametrize("text", ['He said: "yes": twice', "Voilà : c'est bien", '":' * 20, "a\tb"])
def test_a_text_that_looks_like_a_key_is_a_text(text: str) -> None:
    row = NdjsonRows().read(json.dumps(LEVELS | {"narrative": text}).encode())
    assert row is not None
    assert row.narrative == text


def test_content_is_the_same_however_it_is_spelled() -> None:
    def content(changes: dict[str, Any]) -> str:
        return SubmissionBody.model_validate(LEVELS | changes).command("alpha").content

    same = content({})
    assert content({"results": dict(reversed(LEVELS["results"].items()))}) == same
    assert content({"assessed_at": "2026-06-15T07:00:00.0009Z"}) == same
    assert content({"achievement_version": None, "assessor": " Dr M. Lindholm "}) == same
    assert content({"achievement_version": 1}) != same


def test_a_narrative_may_have_lines() -> None:
    row = NdjsonRows().read(json.dumps(LEVELS | {"narrative": "One.\r\n\tTwo."}).encode())
    assert row is not None
    assert row.narrative == "One.\r\n\tTwo."
