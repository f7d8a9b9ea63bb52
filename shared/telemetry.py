"""Logs and metrics: what an operator sees. Never a name, an e-mail, a document or a secret.

Logs are JSON lines on standard error; the metrics stand at /metrics of each service. What is said of one
request, record or delivery has a correlation id; what is said of a batch, a lane or a process has none.
"""

from __future__ import annotations

import logging
import sys
import traceback
from contextvars import ContextVar

import structlog
from prometheus_client import Counter, Gauge, Histogram
from structlog.typing import EventDict, Processor, WrappedLogger

from shared import trace_context
from shared.errors import MicrocredError

TRACEBACK_CAUSES_MAX = 5

correlation: ContextVar[str | None] = ContextVar("correlation", default=None)
"""The correlation id of the request in hand, or of the delivery that is attempted.

Lanes do not set it: a batch has as many as it has records. A line about one record names that record's own.
"""

RECORDS = Counter(
    "microcred_consumer_records_total", "Records by what became of them", ["consumer", "outcome"]
)
BATCH_RECORDS = Histogram(
    "microcred_consumer_batch_records",
    "Records in one poll",
    ["consumer"],
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)
BATCH_SECONDS = Histogram("microcred_consumer_batch_seconds", "Time to take one poll", ["consumer"])
LAG_RECORDS = Gauge("microcred_consumer_lag_records", "Records that wait", ["consumer"])
DEAD_LETTERS = Gauge("microcred_dead_letters", "Open dead letters", ["consumer"])
END_TO_END_SECONDS = Histogram(
    "microcred_end_to_end_seconds",
    "From the start of a journey to its end, by journey",
    ["journey"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
)
REQUESTS = Counter("microcred_http_requests_total", "HTTP answers", ["service", "method", "route", "status"])
REQUEST_SECONDS = Histogram("microcred_http_request_seconds", "HTTP answer time", ["service", "route"])


def _with_correlation(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    value = correlation.get()
    if value is not None:
        event.setdefault("correlation", value)
    trace = trace_context.trace_id(trace_context.current.get())
    if trace is not None:
        event.setdefault("trace_id", trace)
    return event


def _without_messages_of_strangers(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace an exception by its frames and type: its message may quote what somebody sent."""
    raised = event.pop("exc_info", None)
    cause = raised[1] if isinstance(raised, tuple) else raised
    if raised is True:
        cause = sys.exc_info()[1]
    if isinstance(cause, BaseException):
        event["error"] = safe_traceback(cause)
    return event


def configure_logging(level: str = "INFO") -> None:
    """Send structlog and the standard library's loggers to standard error as JSON lines."""
    threshold = logging.getLevelNamesMapping()[level]
    shared: list[Processor] = [
        _with_correlation,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_messages_of_strangers,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    # While a broker is away its client says so many times a second; whoever waits says it once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.basicConfig(level=max(threshold, logging.WARNING), handlers=[handler], force=True)


def safe_traceback(cause: BaseException) -> str:
    """Return the frames and the type of an error without its message, which may quote personal data.

    Messages of MicrocredError are constants and are kept.
    """
    parts: list[str] = []
    current: BaseException | None = cause
    while current is not None and len(parts) < TRACEBACK_CAUSES_MAX:
        frames = traceback.extract_tb(current.__traceback__)
        lines = [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        told = f": {current}" if isinstance(current, MicrocredError) else ""
        parts.append("\n".join([f"{type(current).__qualname__}{told}", *lines]))
        current = current.__cause__ or current.__context__
    return "\ncaused by ".join(parts)
