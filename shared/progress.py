"""A sign of life out of long work: whoever does it calls `made`, and need not know who listens.

A lane that does not get on ends its process (shared/bus/consumer.py), and work that is slow for a good
reason, such as canonicalising 500 documents on a busy machine, must not look as if it stood still. It lies
several calls below the lane and is done for others too, a request or an operator's command. So the listener
stands in the context, as a request's trace does, and not among everyone's arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

_listener: ContextVar[Callable[[], None] | None] = ContextVar("progress", default=None)


@contextmanager
def told_to(listener: Callable[[], None]) -> Generator[None, None, None]:
    """Have `listener` called for all progress that is made within the block, and in tasks begun there."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def made(*_: object) -> None:
    """Say that the work in hand got on; takes whatever a callback is called with."""
    listener = _listener.get()
    if listener is not None:
        listener()
