"""Status lists as bits: which bit is which, the text that readers of gzip understand, what is refused."""

from __future__ import annotations

import base64
import gzip
import hashlib
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Invalid
from shared.proofs import bitstring
from shared.proofs.bitstring import LENGTH_MIN, Bitstring

# Made with gzip(1), independently of the code: the bits 0, 7, 8 and 131071 set, all others clear.
GOLDEN = "uH4sIAAAAAAACA-3BMQEAAAgDINdcmxtjD3A7AAAAAAAAAAAAAAAAAAAAQFceebcplgBAAAA"


def encoded(data: bytes) -> str:
    return "u" + base64.urlsafe_b64encode(data).decode().rstrip("=")


def noise(length: int) -> bytes:
    return hashlib.shake_256(b"noise").digest(length)


def test_the_golden_list_has_its_four_bits_and_no_others() -> None:
    bits = bitstring.decode(GOLDEN)
    assert len(bits) == LENGTH_MIN
    assert [index for index in range(len(bits)) if bits.get(index)] == [0, 7, 8, 131_071]


def test_index_0_is_the_left_most_bit() -> None:
    bits = Bitstring.zeros().with_bits([0, 7, 8, 131_071])
    assert bits.data[:2] == b"\x81\x80"
    assert bits.data[-1:] == b"\x01"
    assert bits.data.count(0) == 16_384 - 3
    assert bits == bitstring.decode(GOLDEN)


def test_equal_bits_give_equal_text_that_any_gzip_reads() -> None:
    bits = Bitstring.zeros().with_bits(range(5, LENGTH_MIN, 97))
    again = Bitstring.zeros().with_bits(index for index in range(LENGTH_MIN) if bits.get(index))
    assert bits.encode() == again.encode()
    compressed = base64.urlsafe_b64decode(bits.encode()[1:] + "==")
    assert compressed[4:8] == bytes(4)  # no modification time
    assert gzip.decompress(compressed) == bits.data


@settings(max_examples=60)
@given(st.sets(st.integers(0, LENGTH_MIN - 1), max_size=200), st.integers(0, LENGTH_MIN - 1))
def test_bits_survive_the_round_trip_and_can_be_cleared(indexes: set[int], cleared: int) -> None:
    bits = Bitstring.zeros().with_bits(indexes)
    assert bitstring.decode(bits.encode()) == bits
    without = bits.with_bits([cleared], value=False)
    assert {i for i in range(LENGTH_MIN) if without.get(i)} == indexes - {cleared}


def test_setting_bits_makes_a_new_list() -> None:
    zeros = Bitstring.zeros()
    assert zeros.with_bits([5]).get(5)
    assert not zeros.get(5)


@pytest.mark.parametrize("index", [-1, LENGTH_MIN, 2**70])
def test_an_index_outside_the_list_is_refused(index: int) -> None:
    with pytest.raises(Invalid, match="status-index-range"):
        Bitstring.zeros().get(index)
    with pytest.raises(Invalid, match="status-index-range"):
        Bitstring.zeros().with_bits([0, index])


@pytest.mark.parametrize("length", [0, 8, LENGTH_MIN - 8, LENGTH_MIN + 1])
def test_a_list_too_short_to_hide_in_is_refused(length: int) -> None:
    with pytest.raises(Invalid, match="status-list-length"):
        Bitstring.zeros(length)


def test_a_short_list_from_elsewhere_is_refused() -> None:
    with pytest.raises(Invalid, match="status-list-length"):
        bitstring.decode(encoded(gzip.compress(bytes(16_383))))


LIST = bytes(16_384)
MALFORMED = {
    "nothing": "",
    "u alone": "u",
    "no prefix": GOLDEN[1:],
    "another prefix": "z" + GOLDEN[1:],
    "padding": GOLDEN + "=",
    "ordinary base64": "u" + base64.b64encode(gzip.compress(noise(16_384))).decode(),
    "a line feed": GOLDEN + "\n",
    "not gzip": encoded(LIST),
    "zlib": encoded(zlib.compress(LIST)),
    "cut short": encoded(gzip.compress(LIST)[:-1]),
    "a wrong checksum": encoded(gzip.compress(LIST)[:-8] + bytes(8)),
    "a second member": encoded(gzip.compress(LIST) * 2),
    "trailing bytes": encoded(gzip.compress(LIST) + b"\x00"),
    "a megabyte and a half of text": "u" + "A" * 1_500_000,
    "one byte over the limit": encoded(gzip.compress(bytes(bitstring.INFLATED_BYTES_MAX + 1))),
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_not_exactly_one_list_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="status-list-malformed"):
        bitstring.decode(text)


def bomb() -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(deflate.compress(bytes(2**20)) for _ in range(256)) + deflate.flush()


def test_a_bomb_is_refused() -> None:
    with pytest.raises(Invalid, match="status-list-malformed"):
        bitstring.decode(encoded(bomb()))


def test_bits_after_the_last_character_are_refused() -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(GOLDEN[1:]) % 4 == 3, "the last character must hold two not base64url without padding"
    altered = GOLDEN[:-1] + alphabet[alphabet.index(GOLDEN[-1]) ^ 1]
    with pytest.raises(Invalid, match="not base64url without padding"):
        bitstring.decode(altered)


def test_the_largest_list_within_the_limit_is_read() -> None:
    largest = Bitstring(bytes(bitstring.INFLATED_BYTES_MAX))
    assert bitstring.decode(largest.encode()) == largest
    with pytest.raises(Invalid, match="inflates to more than 16384 bytes"):
        bitstring.decode(largest.encode(), inflated_bytes_max=16_384)


def test_the_largest_list_fits_its_text_limit_even_if_it_does_not_compress() -> None:
    incompressible = Bitstring(noise(bitstring.INFLATED_BYTES_MAX))
    assert len(incompressible.encode()) <= bitstring.ENCODED_CHARS_MAX
    assert bitstring.decode(incompressible.encode()) == incompressible
