"""What readiness asks of whatever works on its own: since when it waits, and whether it gave up."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

UNAVAILABLE_UNREADY_S = 30.0


@dataclass(slots=True)
class Health:
    """Of one lane or relay. `unavailable_since` and `progressed_at` are read off the monotonic clock."""

    unavailable_since: float | None = None
    stopped: str | None = None
    progressed_at: float = field(default_factory=time.monotonic)

    def progressed(self) -> None:
        """Note that it got on just now."""
        self.progressed_at = time.monotonic()

    def problem(self) -> str | None:
        """Return a sentence if it is not fit for work."""
        if self.stopped:
            return self.stopped
        since = self.unavailable_since
        if since is not None and time.monotonic() - since > UNAVAILABLE_UNREADY_S:
            return f"has been waiting for what it depends on for over {UNAVAILABLE_UNREADY_S:.0f} s"
        return None
