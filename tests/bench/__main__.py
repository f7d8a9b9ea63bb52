"""`make bench`: credentials per second and CPU by stage, for each suite; writes docs/PERFORMANCE.md."""

from __future__ import annotations

import argparse
import statistics
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from shared.embedded import find
from shared.telemetry import configure_logging
from tests.bench import cpu, machine, null_suite
from tests.bench.pipeline import by_stage, end_to_end

PAGE = Path(__file__).parent.parent.parent / "docs" / "PERFORMANCE.md"
NUMBERS = {"eddsa-rdfc-2022": 400, "eddsa-jcs-2022": 6_000, null_suite.CRYPTOSUITE: 20_000}
NULL_PER_SECOND_MIN = 3_000
"""The goal: what everything but canonicalisation must manage on 2 cores."""
ROUNDS = 3
PROCESSES = (("assessor", "notifier"), ("issuer-desk", "verifier"), ("issuer-signer",))


@dataclass(slots=True)
class Figures:
    """What was measured with one suite: stages of one run, credentials per second of each round."""

    number: int
    stages: dict[str, cpu.Spent] = field(default_factory=dict)
    per_second: list[float] = field(default_factory=list)


async def measure(scale: float, rounds: int) -> dict[str, Figures]:
    """Measure every suite, the rounds of the suites taking turns."""
    figures = {suite: Figures(max(100, round(number * scale))) for suite, number in NUMBERS.items()}
    for suite, found in figures.items():
        print(f"{suite}: {found.number} credentials through one stage after the other", flush=True)
        found.stages = await by_stage(suite, found.number)
        for stage, spent in found.stages.items():
            python, workers, postgres = spent.each(found.number)
            print(f"  {stage:<56} {python:7.0f} + {workers:6.0f} + {postgres:5.0f} µs", flush=True)
    for turn in range(rounds):
        for suite, found in figures.items():
            seconds = await end_to_end(suite, found.number, PROCESSES)
            found.per_second.append(found.number / seconds)
            print(f"round {turn + 1}, {suite}: {found.per_second[-1]:,.0f} credentials/s", flush=True)
    return figures


def page(figures: dict[str, Figures], where: str) -> str:
    """Return docs/PERFORMANCE.md."""
    lines = [
        "<!-- Written by `make bench`. -->\n",
        "# Performance\n",
        f"Measured on {where}. Shared machines are noisy: compare figures of one run only.\n",
        "## End to end\n",
        "From the first byte of one NDJSON upload over HTTP to the last notification request, on the local"
        " bus, in three processes (assessor and notifier; the issuer's desk and verifier; the signer), which"
        " share the machine with PostgreSQL and the uploading client. Letters and webhooks are requested and"
        " not sent. `null` replaces canonicalisation by nothing, to show what everything around it costs; it"
        " lives in `tests/bench` alone.\n",
        "| suite | credentials | credentials/s: median (min–max) | against eddsa-rdfc-2022 |",
        "|---|---|---|---|",
    ]
    base = statistics.median(figures["eddsa-rdfc-2022"].per_second)
    for suite, found in figures.items():
        rates = found.per_second
        median = statistics.median(rates)
        lines.append(
            f"| {suite} | {found.number:,} | {median:,.0f} ({min(rates):,.0f}–{max(rates):,.0f})"
            f" | {median / base:.1f}× |"
        )
    best = statistics.median(figures[null_suite.CRYPTOSUITE].per_second)
    verdict = "reached" if best >= NULL_PER_SECOND_MIN else "not reached"
    lines += [
        f"\nThe goal of {NULL_PER_SECOND_MIN:,}/s with `null` on 2 cores: {verdict} in this run.",
        "\n## CPU per credential by stage\n",
        "Microseconds of user and system time, each stage alone.\n",
    ]
    for suite, found in figures.items():
        lines += [f"### {suite}\n", "| stage | service | workers | PostgreSQL |", "|---|---|---|---|"]
        sums = [0.0, 0.0, 0.0]
        for stage, spent in found.stages.items():
            each = spent.each(found.number)
            sums = [total + part for total, part in zip(sums, each, strict=True)]
            lines.append(f"| {stage} | {each[0]:,.0f} | {each[1]:,.0f} | {each[2]:,.0f} |")
        lines.append(f"| **sum** | **{sums[0]:,.0f}** | **{sums[1]:,.0f}** | **{sums[2]:,.0f}** |\n")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, write the page."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="multiply the number of credentials")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="end-to-end runs of each suite")
    parser.add_argument("--dry", action="store_true", help="print only, leave docs/PERFORMANCE.md alone")
    options = parser.parse_args()
    configure_logging("ERROR")
    figures = uvloop.run(measure(options.scale, options.rounds))
    text = page(figures, machine.description(find().version))
    print(text)
    if not options.dry:
        PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
