"""keep_achievements: hears what the issuer published, and keeps the bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.assessor import projections
from shared.eventstore import Recorded, Session


async def keep_achievements(batch: Sequence[Recorded], session: Session, _: Any) -> None:
    """Keep each published version of an achievement."""
    await projections.keep_achievements(session.connection, batch)
