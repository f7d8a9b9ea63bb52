"""W3C Trace Context at the door: forwarded where it is valid, begun anew where it is not."""

from __future__ import annotations

import pytest

from shared.trace_context import entered, trace_id

GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
"""The example of the Recommendation, §3.2.2.3."""


def test_a_valid_traceparent_is_forwarded_as_it_came() -> None:
    assert entered(GIVEN) == GIVEN
    assert trace_id(GIVEN) == "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        GIVEN.upper(),
        f"ff{GIVEN[2:]}",
        f"00-{'0' * 32}-{'1' * 16}-01",
        f"00-{'1' * 32}-{'0' * 16}-01",
        f"{GIVEN}\n",
    ],
)
def test_anything_else_begins_a_trace_that_is_not_sampled(given: str) -> None:
    begun, other = entered(given), entered(given)
    assert trace_id(given) is None
    assert entered(begun) == begun, "what we begin is valid"
    assert begun.endswith("-00")
    assert begun != other
