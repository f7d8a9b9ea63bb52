"""Canonical JSON (RFC 8785): its vectors, and agreement of the quick path with the plain one."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Invalid
from shared.proofs import jcs
from shared.proofs.strictjson import INTEGER_MAX, JsonValue

NAMES = ("arrays", "french", "structures", "unicode", "values", "weird")


@pytest.mark.parametrize("name", NAMES)
def test_the_rfc_8785_vectors_come_out_byte_for_byte(name: str, vectors: Path) -> None:
    value = json.loads((vectors / "jcs" / "input" / f"{name}.json").read_bytes())
    expected = bytes.fromhex((vectors / "jcs" / "outhex" / f"{name}.txt").read_text())
    assert jcs.canonical_bytes(value) == expected
    assert expected == (vectors / "jcs" / "output" / f"{name}.json").read_bytes()


KEYS = st.text(max_size=6) | st.sampled_from(["a", "B", "￿", "😀", "\ue000", "é"])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-INTEGER_MAX, INTEGER_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(KEYS, children, max_size=4),
    max_leaves=12,
)


@settings(max_examples=400)
@given(JSON)
def test_both_paths_write_what_rfc8785_writes(value: JsonValue) -> None:
    assert jcs.canonical_bytes(value) == rfc8785.dumps(value)


def test_every_character_of_the_first_planes_is_written_alike() -> None:
    text = "".join(chr(c) for c in range(0x11000) if not 0xD800 <= c <= 0xDFFF)
    assert jcs.canonical_bytes([text]) == rfc8785.dumps([text])


DIFFERENT_IN_ORJSON: list[JsonValue] = [
    1.0,
    -0.0,
    1e16,
    {"😀": 1, "\ue000": 2},
]


@pytest.mark.parametrize("value", DIFFERENT_IN_ORJSON, ids=repr)
def test_what_orjson_writes_differently_goes_to_rfc8785(value: JsonValue) -> None:
    assert orjson.dumps(value, option=orjson.OPT_SORT_KEYS) != rfc8785.dumps(value)
    assert jcs.canonical_bytes(value) == rfc8785.dumps(value)


UNWRITABLE: list[JsonValue] = [float("nan"), float("inf"), INTEGER_MAX + 1, 2**70, "\ud800", {"\ud800": 1}]


@pytest.mark.parametrize("value", UNWRITABLE, ids=repr)
def test_what_has_no_canonical_form_is_refused(value: JsonValue) -> None:
    with pytest.raises(Invalid, match="not-canonicalisable"):
        jcs.canonical_bytes({"a": [value]})
