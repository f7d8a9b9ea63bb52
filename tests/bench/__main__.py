"""`make bench`: credentials per second, waits, CPU by stage, by suite and bus; writes docs/PERFORMANCE.md."""

from __future__ import annotations

import argparse
from pathlib import Path

import uvloop

from shared.embedded import find, kafka
from shared.errors import NotFound
from shared.telemetry import configure_logging
from tests.bench import latency, machine, null_suite, page
from tests.bench.page import Figures, OnBus
from tests.bench.pipeline import by_stage, end_to_end

PAGE = Path(__file__).parent.parent.parent / "docs" / "PERFORMANCE.md"
NUMBERS = {page.BASE: 400, "eddsa-jcs-2022": 6_000, null_suite.CRYPTOSUITE: 40_000}
PACED_SUITE = "eddsa-jcs-2022"
ROUNDS = 3
PROCESSES = (("assessor", "notifier"), ("issuer-desk", "verifier"), ("issuer-signer",))


async def measure(bus: str, scale: float, rounds: int) -> OnBus:
    """Measure every suite on `bus`, the rounds of the suites taking turns."""
    figures = {suite: Figures(max(100, round(number * scale))) for suite, number in NUMBERS.items()}
    found = OnBus(figures)
    for suite, each in figures.items():
        print(f"{bus}, {suite}: {each.number} credentials through one stage after the other", flush=True)
        each.stages = await by_stage(suite, bus, each.number)
        for stage, spent in each.stages.items():
            parts = " + ".join(f"{part:5,.0f}" for part in spent.each(each.number))
            print(f"  {stage:<56} {parts} µs", flush=True)
    for turn in range(rounds):
        for suite, each in figures.items():
            seconds = await end_to_end(suite, bus, each.number, PROCESSES)
            each.per_second.append(each.number / seconds)
            print(f"{bus}, round {turn + 1}, {suite}: {each.per_second[-1]:,.0f} credentials/s", flush=True)
    found.waits[PACED_SUITE] = await latency.milliseconds(PACED_SUITE, bus, PROCESSES)
    return found


def buses(wanted: str | None) -> list[str]:
    """Return which buses can be measured here, or the wanted one alone."""
    if wanted is not None:
        return [wanted]
    try:
        kafka.find()
    except NotFound as missing:
        print(f"Without Kafka: {missing}", flush=True)
        return ["local"]
    return ["local", "kafka"]


def main() -> None:
    """Measure, print, write the page."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="multiply the number of credentials")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="end-to-end runs of each suite")
    parser.add_argument("--bus", choices=page.BUSES, help="measure on this bus alone, and only print")
    parser.add_argument("--dry", action="store_true", help="print only, leave docs/PERFORMANCE.md alone")
    options = parser.parse_args()
    configure_logging("ERROR")
    measured = {bus: uvloop.run(measure(bus, options.scale, options.rounds)) for bus in buses(options.bus)}
    text = page.text(measured, machine.description(find().version))
    print(text)
    if not options.dry and options.bus is None:
        PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
