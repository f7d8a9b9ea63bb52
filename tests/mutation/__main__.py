"""`python -m tests.mutation [name …]`: every mutant, on all cores; exit 1 if one is forged."""

from __future__ import annotations

import multiprocessing
import sys
import time

from tests.mutation.running import SHAPES, TARGETS, Report, run


def part(wanted: tuple[str, int]) -> tuple[str, Report]:
    """All mutants of one shape: `wanted` is the suite or form, and the number of the shape."""
    name, number = wanted
    target = TARGETS[name]()[number]
    return name, run([(target, range(len(target.mutants)))])


def main(names: list[str]) -> int:
    """Run the suites and forms called `names`, or all; each tells its report as soon as it is done."""
    chosen = names or list(TARGETS)
    reports = {name: Report() for name in chosen}
    waiting = dict.fromkeys(chosen, SHAPES)
    started = time.monotonic()
    with multiprocessing.Pool() as pool:
        wanted = [(name, number) for name in chosen for number in range(SHAPES)]
        for name, report in pool.imap_unordered(part, wanted):
            reports[name].add(report)
            waiting[name] -= 1
            if not waiting[name]:
                print(f"{name}: {reports[name]}, after {time.monotonic() - started:.0f} s", flush=True)
    forged = [f"{name}: {each}" for name, report in reports.items() for each in report.forged]
    print("\n".join(forged) or f"{sum(report.tried for report in reports.values())} mutants, none forged")
    return 1 if forged else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
