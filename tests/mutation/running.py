"""Runs mutants: a sample by a fixed seed, or all; and tells what was accepted that was never issued."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from shared.proofs.suites import SUITES
from tests.mutation.targets import TOKENS, Target, proved, tokens
from tests.products import documents

SEED = 20_260_301
SHAPES = len(documents("did:example:issuer"))

TARGETS: dict[str, Callable[[], Sequence[Target]]] = {
    **{name: partial(proved, name) for name in SUITES},
    **{f"{form.value} {kind.value}": partial(tokens, form, kind) for form, kind in TOKENS},
}
"""By suite or form of token: its signed shapes."""


@dataclass
class Report:
    """What became of some mutants; `forged` names those that were accepted and are not what was issued."""

    tried: int = 0
    accepted: int = 0
    forged: list[str] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Count what became of other mutants too."""
        self.tried += other.tried
        self.accepted += other.accepted
        self.forged += other.forged

    def __str__(self) -> str:
        return f"{self.tried} mutants, {self.accepted} accepted as what was issued, {len(self.forged)} forged"


def run(targets: Iterable[tuple[Target, Iterable[int]]]) -> Report:
    """Give the verifier each of the numbered mutants."""
    report = Report()
    for target, numbers in targets:
        for number in numbers:
            report.tried += 1
            mutant = target.mutants[number]
            found = target.accepted(mutant)
            if found is None:
                continue
            report.accepted += 1
            if not target.same(mutant, found):
                report.forged.append(f"{target.name}, mutant {number}")
    return report


def sample(targets: Sequence[Target], wanted: int) -> list[tuple[Target, list[int]]]:
    """About `wanted` mutants, spread evenly: half of those of the structure, where a document has any."""
    chance = random.Random(SEED)  # noqa: S311
    chosen = []
    for target in targets:
        count = wanted // len(targets)
        structure = target.mutants.structural_count
        first = chance.sample(range(structure), min(structure, count // 2))
        rest = chance.sample(range(structure, len(target.mutants)), count - len(first))
        chosen.append((target, first + rest))
    return chosen
