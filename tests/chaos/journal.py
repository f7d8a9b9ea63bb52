"""The submitter's own journal: what it sent and what was acknowledged, on disk before anything else happens.

It is the oracle of the crash tests: the system's tables are compared with it, not with themselves.
"""

from __future__ import annotations

import json
import os
from pathlib import Path


class Journal:
    """Appends one JSON line per step and syncs it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self.acknowledged: dict[str, str] = {}
        self.sent: set[str] = set()

    def note_sent(self, assessment_id: str) -> None:
        """Note that an assessment is about to be sent."""
        self._write({"sent": assessment_id})
        self.sent.add(assessment_id)

    def note_acknowledged(self, assessment_id: str, outcome: str) -> None:
        """Note the answer to an assessment. An answer may never change."""
        assert self.acknowledged.get(assessment_id, outcome) == outcome
        self._write({"acknowledged": assessment_id, "outcome": outcome})
        self.acknowledged[assessment_id] = outcome

    @property
    def unanswered(self) -> list[str]:
        """Return what was sent and never answered: it may have happened or not, and is sent again."""
        return sorted(self.sent - self.acknowledged.keys())

    @property
    def passed(self) -> set[str]:
        """Return the assessments whose pass was acknowledged."""
        return {identifier for identifier, outcome in self.acknowledged.items() if outcome == "passed"}

    def _write(self, line: dict[str, str]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
