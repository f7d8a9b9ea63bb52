"""`python -m tests.mutation [name …]`: every mutant, on all cores; exit 1 if one is forged."""

from __future__ import annotations

import multiprocessing
import sys
import time

from tests.mutation.running import TARGETS, Report, run


def part(name: str, number: int) -> tuple[str, Report]:
    """All mutants of one shape."""
    target = TARGETS[name]()[number]
    return name, run([(target, range(len(target.mutants)))])


def main(names: list[str]) -> int:
    """Run the suites and forms called `names`, or all."""
    wanted = [(name, number) for name in names or TARGETS for number in range(20)]
    started = time.monotonic()
    whole = Report()
    with multiprocessing.Pool() as pool:
        for name, report in pool.starmap(part, wanted, chunksize=1):
            whole.tried += report.tried
            whole.accepted += report.accepted
            whole.forged += [f"{name}: {each}" for each in report.forged]
    print(f"{whole} in {time.monotonic() - started:.0f} s")
    print("\n".join(whole.forged))
    return 1 if whole.forged else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
