"""A mutant of a signed credential is refused, or says exactly what was issued."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.proofs.suites import SUITES
from tests.mutation.running import SHAPES, TARGETS, run, sample

SAMPLES = {name: 2_500 if suite.offloaded else 50_000 for name, suite in SUITES.items()}
TOKENS_SAMPLED = 13_000


@pytest.mark.parametrize("name", TARGETS)
def test_no_small_change_of_a_signed_credential_is_accepted(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    targets = TARGETS[name]()
    assert len(targets) == SHAPES
    for target in targets:
        issued = target.mutants.text
        assert target.same(issued, target.accepted(issued))
    report = run(sample(targets, SAMPLES.get(name, TOKENS_SAMPLED)))
    print(f"{name}: {report}")
    record_property("mutants", report.tried)
    assert report.forged == []
    assert report.tried >= SAMPLES.get(name, TOKENS_SAMPLED) * 99 // 100


def test_the_samples_are_as_large_as_promised() -> None:
    slow = [name for name, suite in SUITES.items() if suite.offloaded]
    assert sum(SAMPLES[name] for name in slow) >= 3_000
    quick = sum(size for name, size in SAMPLES.items() if name not in slow)
    assert quick + TOKENS_SAMPLED * (len(TARGETS) - len(SUITES)) >= 100_000
