"""The log of a service: append, load, read after a position; and the session that handlers work in."""

from shared.eventstore.log import Append, Meta, Recorded
from shared.eventstore.session import Session

__all__ = ["Append", "Meta", "Recorded", "Session"]
