"""The collector is tuned for batches, and still finds cycles."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from shared.collector import YOUNG_OBJECTS_MAX, spare_the_living


class Ring:
    """An object that only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _collector_as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_what_lives_by_now_is_left_out_of_every_search() -> None:
    spare_the_living()
    assert gc.get_freeze_count() > 10_000
    assert gc.isenabled()


def test_a_cycle_made_afterwards_is_freed_once_enough_was_made() -> None:
    spare_the_living()
    ring = weakref.ref(Ring())
    made = [[] for _ in range(YOUNG_OBJECTS_MAX + 1)]
    assert ring() is None
    del made
