"""Status indexes: every place of a list once, in an order that only the key gives."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.issuer.handlers.tenant_secrets import StatusEntries, list_id
from services.issuer.indexes import CAPACITY, list_and_slot, permuted
from shared.proofs.bitstring import LENGTH_MIN


def test_every_slot_of_a_list_has_an_index_of_its_own() -> None:
    indexes = {permuted(b"k" * 32, slot) for slot in range(CAPACITY)}
    assert indexes == set(range(CAPACITY))


def test_a_list_has_as_many_places_as_the_standard_demands_bits() -> None:
    assert CAPACITY == LENGTH_MIN


@given(st.binary(min_size=32, max_size=32), st.sets(st.integers(0, CAPACITY - 1), min_size=2, max_size=50))
@settings(max_examples=200)
def test_no_key_gives_two_slots_one_index(key: bytes, slots: set[int]) -> None:
    assert len({permuted(key, slot) for slot in slots}) == len(slots)


@given(st.binary(min_size=32, max_size=32))
def test_neighbours_in_time_are_no_neighbours_in_the_list(key: bytes) -> None:
    indexes = [permuted(key, slot) for slot in range(64)]
    steps = [abs(one - other) for one, other in pairwise(indexes)]
    assert sum(step > CAPACITY // 64 for step in steps) > len(steps) // 2


def test_two_keys_shuffle_differently() -> None:
    one = [permuted(b"a" * 32, slot) for slot in range(200)]
    other = [permuted(b"b" * 32, slot) for slot in range(200)]
    assert sum(left == right for left, right in zip(one, other, strict=True)) < 5


@pytest.mark.parametrize("slot", [-1, CAPACITY])
def test_a_slot_outside_the_list_is_refused(slot: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        permuted(b"k" * 32, slot)


@given(st.integers(0, 10 * CAPACITY))
def test_places_fill_one_list_after_the_other(place: int) -> None:
    ordinal, slot = list_and_slot(place)
    assert 0 <= slot < CAPACITY
    assert ordinal * CAPACITY + slot == place


def test_a_place_names_the_list_that_begins_with_its_ordinal() -> None:
    secret = b"s" * 32
    entries = StatusEntries(secret)
    last, first = entries.entry(CAPACITY - 1), entries.entry(CAPACITY)
    assert last.list_id == list_id(secret, 0)
    assert first.list_id == list_id(secret, 1)
    assert list_id(secret, 0) != list_id(b"t" * 32, 0)
