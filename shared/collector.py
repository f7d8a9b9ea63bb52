"""How often Python looks for reference cycles: seldom, and never among what lives as long as the process.

A batch makes tens of thousands of short-lived objects, none of which is part of a cycle; Python's defaults
look through all of them, and through every loaded module, many times a batch, which took a third of the CPU.
Reference counting frees them all the same. Nothing is switched off: a cycle is found a moment later.
"""

from __future__ import annotations

import gc

YOUNG_OBJECTS_MAX = 150_000
"""Objects made and not yet freed before the young are searched: more than a batch in hand consists of."""
YOUNG_ROUNDS_MAX = 20
MIDDLE_ROUNDS_MAX = 50


def spare_the_living() -> None:
    """Leave what is loaded by now out of every search, and search less often; call it once all is built."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX, YOUNG_ROUNDS_MAX, MIDDLE_ROUNDS_MAX)
