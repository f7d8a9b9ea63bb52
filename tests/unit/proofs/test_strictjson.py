"""JSON that every reader reads alike is accepted, all else refused, whatever the bytes."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Invalid
from shared.proofs import strictjson
from shared.proofs.strictjson import DEPTH_MAX, DOCUMENT_BYTES_MAX, INTEGER_MAX, NODES_MAX, JsonValue

REFUSED = {
    "a byte order mark": (b"\xef\xbb\xbf{}", "json-not-utf8", None),
    "latin-1": (b'{"a":"\xe9"}', "json-not-utf8", "byte 6"),
    "utf-16": ('{"a":1}'.encode("utf-16"), "json-not-utf8", None),
    "a surrogate encoded in utf-8": (b'{"a":"\xed\xa0\x80"}', "json-not-utf8", None),
    "an overlong encoding": (b'{"a":"\xc0\xaf"}', "json-not-utf8", None),
    "a lone surrogate escape": (rb'{"a":["x","\ud800"]}', "json-character", "$.a[1]"),
    "a lone surrogate in a key": (rb'{"a":{"\udc00":1}}', "json-character", None),
    "a NUL": (rb'{"a":"\u0000"}', "json-character", "$.a"),
    "a form feed": (rb'{"a":"\f"}', "json-character", "$.a"),
    "a DEL": (b'{"a":"\x7f"}', "json-character", "$.a"),
    "a control character in a key": (rb'{"a\u0001":1}', "json-character", None),
    "a repeated key": (b'{"issuer":"a","issuer":"b"}', "json-duplicate-key", "$.issuer"),
    "a repeated key deep inside": (
        b'{"a":[0,{"b":{"c":1,"d":2,"c":1}}]}',
        "json-duplicate-key",
        "$.a[1].b.c",
    ),
    "a key repeated through an escape": (rb'{"a":1,"\u0061":2}', "json-duplicate-key", "$.a"),
    "NaN": (b'{"a":NaN}', "json-number-range", "$.a"),
    "infinity": (b"[-Infinity]", "json-number-range", "$[0]"),
    "a float beyond double": (b'{"a":1e400}', "json-number-range", "$.a"),
    "2^53": (b'{"a":9007199254740992}', "json-number-range", "$.a"),
    "-2^53": (b'{"a":-9007199254740992}', "json-number-range", "$.a"),
    "an integer of 5,000 digits": (b"[" + b"9" * 5_000 + b"]", "json-number-range", "$[0]"),
    "nothing": (b"", "json-malformed", "line 1, column 1"),
    "a trailing comma": (b'{"a":1,}', "json-malformed", None),
    "two values": (b"{} {}", "json-malformed", None),
    "single quotes": (b"{'a':1}", "json-malformed", None),
    "a raw newline in a string": (b'"a\nb"', "json-malformed", None),
    "an unclosed string full of quotes": (b'"' + rb"\"" * 100_000, "json-malformed", None),
    "too many bytes": (b" " * DOCUMENT_BYTES_MAX + b"1", "json-too-large", None),
    "too many values": (b"[" + b"0," * NODES_MAX + b"0]", "json-too-many-values", None),
    "one level too many": (b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1), "json-too-deep", None),
    "a hundred thousand levels": (b"[" * 100_000, "json-too-deep", None),
    "depth behind a string with brackets": (
        b'["]]]]\\"]]",' + b'{"a":' * DEPTH_MAX + b"1" + b"}" * DEPTH_MAX + b"]",
        "json-too-deep",
        None,
    ),
}


# The unclosed string takes minutes if the scan for brackets is not linear.
@pytest.mark.timeout(20)
@pytest.mark.parametrize(("data", "code", "place"), REFUSED.values(), ids=REFUSED.keys())
def test_what_two_readers_might_read_differently_is_refused(
    data: bytes, code: str, place: str | None
) -> None:
    with pytest.raises(Invalid) as refusal:
        strictjson.loads(data)
    assert refusal.value.code == code
    if place is not None:
        assert any(place in reason for reason in refusal.value.reasons)


ACCEPTED = {
    "the largest integers": (b"[9007199254740991,-9007199254740991]", [INTEGER_MAX, -INTEGER_MAX]),
    "tab, line feed and carriage return": (rb'"\t\n\r"', "\t\n\r"),
    "a surrogate pair": (rb'"\ud83d\ude00"', "😀"),
    "the deepest nesting": (
        b"[" * DEPTH_MAX + b"]" * DEPTH_MAX,
        json.loads("[" * DEPTH_MAX + "]" * DEPTH_MAX),
    ),
    "brackets in strings": (b'{"[[[[":"{{{{\\"[["}', {"[[[[": '{{{{"[['}),
    "white space around": (b" \r\n\t1.5 ", 1.5),
}


@pytest.mark.parametrize(("data", "value"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_every_reader_reads_alike_is_accepted(data: bytes, value: JsonValue) -> None:
    assert strictjson.loads(data) == value


SAFE_TEXT = st.text(
    st.characters(
        codec="utf-8", exclude_characters=[chr(c) for c in range(32) if chr(c) not in "\t\n\r"] + ["\x7f"]
    )
)
SAFE_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-INTEGER_MAX, INTEGER_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | SAFE_TEXT,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(SAFE_TEXT, children, max_size=4),
    max_leaves=20,
)


@given(SAFE_JSON, st.booleans())
def test_a_safe_value_survives_the_round_trip(value: JsonValue, ascii_only: bool) -> None:
    assert strictjson.loads(json.dumps(value, ensure_ascii=ascii_only).encode()) == value
    strictjson.check(value)


@given(
    st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_any_bytes_give_the_value_that_json_has_or_a_refusal(data: bytes) -> None:
    with contextlib.suppress(Invalid):
        assert strictjson.loads(data) == json.loads(data)


def test_the_place_is_a_path_that_quotes_odd_keys_and_shortens_long_ones() -> None:
    path = ((((None, "a"), 3), "@id"), "k" * 500)
    assert strictjson.path_text(path) == '$.a[3]["@id"].' + "k" * 40


def test_a_document_that_was_built_here_is_held_to_the_same_rules() -> None:
    with pytest.raises(Invalid, match="json-number-range"):
        strictjson.check({"a": [float("nan")]})
    with pytest.raises(Invalid, match="json-too-deep"):
        strictjson.check(json.loads("[" * 40 + "]" * 40))
