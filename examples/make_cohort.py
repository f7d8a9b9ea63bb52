"""Writes cohort.csv: the made-up results of 1,000 learners, with the faults that real exports have.

Everything is derived from a fixed seed, so that the file can be made again byte for byte. Names are combined
at random; addresses are under the reserved domain example.org (RFC 2606). Besides the learners the file holds
two rows that repeat an earlier assessment and six that no system should take.
"""

from __future__ import annotations

import csv
import io
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

COHORT = Path(__file__).parent / "cohort.csv"
LEARNERS = 1_000
SEED = 20_26
ACHIEVEMENT_ID = "019aa000-0000-7000-8000-000000000001"
CRITERIA = ("question", "method", "reproducibility", "communication")
LEVELS = ("missing", "developing", "secure", "excellent")
COLUMNS = (
    "assessment_id",
    "achievement_id",
    "learner_reference",
    "learner_name",
    "learner_email",
    "assessor",
    "supervision",
    "identity_check",
    "assessed_at",
    "evidence_url",
    *(f"result:{criterion}" for criterion in CRITERIA),
)
GIVEN, FAMILY = (
    line.split() for line in (Path(__file__).parent / "names.txt").read_text("utf-8").splitlines()
)
ASSESSORS = ("Dr M. Lindholm", "Prof. R. Okonkwo", "Dr S. Marchetti", "J. van Dijk")
FIRST = datetime(2026, 6, 15, 9, 0, tzinfo=UTC)


def learner_row(number: int, dice: random.Random) -> list[str]:
    """Return the row of learner `number` (from 1): about one in six stays below the pass mark."""
    ability = dice.gauss(2.25, 0.75)
    levels = [LEVELS[min(3, max(0, round(ability + dice.gauss(0, 0.45))))] for _ in CRITERIA]
    at = FIRST + timedelta(minutes=20 * (number - 1))
    return [
        f"DAPS-2026-{number:04d}",
        ACHIEVEMENT_ID,
        f"S{202600000 + number}",
        f"{dice.choice(GIVEN)} {dice.choice(FAMILY)}",
        f"learner{number:04d}@example.org",
        dice.choice(ASSESSORS),
        "supervised-onsite",
        "photo-id",
        at.isoformat().replace("+00:00", "Z"),
        f"https://portfolio.example.org/daps/{number:04d}",
        *levels,
    ]


def faulty_rows(rows: list[list[str]]) -> list[tuple[int, list[str]]]:
    """Return (place, row) of the rows that must be reported and skipped, each with a fault of its own."""

    def changed(number: int, column: str, value: str) -> list[str]:
        row = list(rows[number - 1])
        row[0] = f"DAPS-2026-X{number:03d}"
        row[COLUMNS.index(column)] = value
        return row

    return [
        (57, changed(57, "learner_email", "not an address")),
        (199, changed(199, "result:method", "brilliant")),
        (345, changed(345, "assessed_at", "15/06/2026")),
        (512, rows[511][:7]),
        (768, changed(768, "learner_name", "")),
        (901, changed(901, "achievement_id", "daps")),
    ]


def cohort() -> str:
    """Return the whole file."""
    dice = random.Random(SEED)  # noqa: S311 - made-up results, no secrets
    learners = [learner_row(number, dice) for number in range(1, LEARNERS + 1)]
    rows = list(learners)
    for place, row in reversed(faulty_rows(learners)):
        rows.insert(place, row)
    rows.insert(402, learners[39])
    rows.append(learners[776])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return text.getvalue()


if __name__ == "__main__":
    COHORT.write_text(cohort(), "utf-8")
