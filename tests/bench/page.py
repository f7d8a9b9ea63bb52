"""docs/PERFORMANCE.md: what was measured, as a page."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.bench import cpu, latency, null_suite

GOALS = {"local": 3_000, "kafka": 2_000}
"""Credentials a second that everything but canonicalisation must manage on 2 cores."""
BUSES = {"local": "the local bus", "kafka": "Apache Kafka"}
BASE = "eddsa-rdfc-2022"

ABOUT = (
    "From the first byte of one NDJSON upload over HTTP to the last notification request, in three processes"
    " (assessor and notifier, of lower priority; the issuer's desk and verifier; the signer), which share the"
    " machine with PostgreSQL, the uploading client and, where it is used, a Kafka broker of one node as"
    " `make kafka` starts it (256 to 512 MiB, serial collector, quick compiler). Letters and webhooks are"
    " requested and not sent. `null` replaces canonicalisation by nothing, to show what everything around it"
    " costs; it lives in `tests/bench` alone.\n"
)


@dataclass(slots=True)
class Figures:
    """What was measured with one suite on one bus: stages of one run, credentials/s of each round."""

    number: int
    stages: dict[str, cpu.Spent] = field(default_factory=dict)
    per_second: list[float] = field(default_factory=list)


@dataclass(slots=True)
class OnBus:
    """What was measured on one bus. `waits`: median and 99th percentile in milliseconds, by suite."""

    figures: Mapping[str, Figures]
    waits: dict[str, tuple[float, float]] = field(default_factory=dict)


def text(measured: Mapping[str, OnBus], where: str) -> str:
    """Return the page."""
    lines = [
        "<!-- Written by `make bench`. -->\n",
        "# Performance\n",
        f"Measured on {where}. Shared machines are noisy: compare figures of one run only.\n",
        ABOUT,
    ]
    for bus, found in measured.items():
        lines += [f"## On {BUSES[bus]}\n", *_end_to_end(bus, found), *_waits(found), *_stages(bus, found)]
    return "\n".join(lines) + "\n"


def _end_to_end(bus: str, found: OnBus) -> Iterator[str]:
    yield f"| suite | credentials | credentials/s: median (min–max) | against {BASE} |"
    yield "|---|---|---|---|"
    base = statistics.median(found.figures[BASE].per_second)
    for suite, each in found.figures.items():
        rates = each.per_second
        median = statistics.median(rates)
        yield (
            f"| {suite} | {each.number:,} | {median:,.0f} ({min(rates):,.0f}–{max(rates):,.0f})"
            f" | {median / base:.1f}× |"
        )
    best = statistics.median(found.figures[null_suite.CRYPTOSUITE].per_second)
    verdict = "reached" if best >= GOALS[bus] else "not reached"
    yield f"\nThe goal of {GOALS[bus]:,}/s with `null`: {verdict} in this run.\n"


def _waits(found: OnBus) -> Iterator[str]:
    for suite, (middle, late) in found.waits.items():
        yield (
            f"From the assessment to the signature with {suite}, at {latency.PER_SECOND} single requests a"
            f" second for {latency.SECONDS} s: {middle:,.0f} ms (median), {late:,.0f} ms (99th percentile).\n"
        )


def _stages(bus: str, found: OnBus) -> Iterator[str]:
    yield "CPU per credential: microseconds of user and system time, each stage alone.\n"
    columns = ["services", "workers", "PostgreSQL", *(["Kafka"] if bus == "kafka" else [])]
    for suite, each in found.figures.items():
        yield f"| {suite} | {' | '.join(columns)} |"
        yield "|---" * (len(columns) + 1) + "|"
        sums = [0.0] * len(columns)
        for stage, spent in each.stages.items():
            own = spent.each(each.number)[: len(columns)]
            sums = [total + part for total, part in zip(sums, own, strict=True)]
            yield f"| {stage} | {' | '.join(f'{part:,.0f}' for part in own)} |"
        yield f"| **sum** | {' | '.join(f'**{total:,.0f}**' for total in sums)} |\n"
