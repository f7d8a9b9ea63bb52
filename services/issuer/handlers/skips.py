"""What a lane passed over on purpose: counted and logged, never an error and never with personal data."""

from __future__ import annotations

import structlog
from prometheus_client import Counter

SKIPPED = Counter("microcred_issuer_skipped_total", "Records that a lane passed over", ["lane", "reason"])

logger = structlog.get_logger(__name__)


def skipped(lane: str, reason: str, number: int) -> None:
    """Say that `number` records of a batch were passed over."""
    if number:
        SKIPPED.labels(lane, reason).inc(number)
        logger.info("passed over", lane=lane, reason=reason, records=number)
