"""Which bit of which status list a credential gets: a keyed shuffle of the order of issuing.

Consecutive indexes would tell who was issued when (Bitstring Status List 1.0 asks for random ones), and
drawing at random until a free one is found slows down as a list fills. So places are handed out in order,
and a permutation that only the tenant's secret gives turns each into its index: no retry, no index twice,
nothing to guess. Pure: the same key and slot give the same index for ever.
"""

from __future__ import annotations

import hmac
from functools import lru_cache

CAPACITY = 131_072
"""Entries of a list: the least that the standard allows, so that lists stay small to fetch."""

ROUNDS = 8
ROUNDS_KEPT_MAX = 16_384
"""Outcomes of rounds that are remembered: a list has 3,072 of them, asked for again and again."""
_LOW_BITS = 9
_LOW_MASK = (1 << _LOW_BITS) - 1
_HIGH_MASK = CAPACITY // (1 << _LOW_BITS) - 1


def permuted(key: bytes, slot: int) -> int:
    """The index of `slot`, both in 0 … CAPACITY−1; for each key a bijection.

    A Feistel network over the 17 bits of a slot, 8 high and 9 low, with HMAC-SHA-256 as round function: each
    round changes one part by what the other says, so each can be undone. Raises ValueError outside the range.
    """
    if not 0 <= slot < CAPACITY:
        raise ValueError(f"slot {slot} is outside 0 … {CAPACITY - 1}")
    high, low = slot >> _LOW_BITS, slot & _LOW_MASK
    for number in range(0, ROUNDS, 2):
        high ^= _round(key, number, low) & _HIGH_MASK
        low ^= _round(key, number + 1, high) & _LOW_MASK
    return high << _LOW_BITS | low


@lru_cache(ROUNDS_KEPT_MAX)
def _round(key: bytes, number: int, part: int) -> int:
    digest = hmac.digest(key, bytes((number, part >> 8, part & 0xFF)), "sha256")
    return int.from_bytes(digest[:2], "big")


def list_and_slot(place: int) -> tuple[int, int]:
    """Where a tenant's `place` (reservations counted from 0) falls: (ordinal of the list, slot in it)."""
    return divmod(place, CAPACITY)
