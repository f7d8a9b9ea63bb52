"""What every event is: an immutable fact with an explicit type, in one kind of stream, on one topic or none.

The type string is written on the class and never derived from its name or module, so that code can be
moved and renamed while events stored years ago stay readable. Within a version only optional fields may be
added; a breaking change is a new class (`….v2`) and one pure upcast in registry.py.

Never in clear in an event: a learner's name, e-mail, results, evidence, or an assessor's name. Such data
stands in a `sealed` field, encrypted under the learner's own key (shared/sealing.py), or under the key of the
one credential that a caller posted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{1,38}[a-z0-9]$")]
AssessmentId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:~-]{0,127}$")]
Uuid = Annotated[
    str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
]
Instant = AwareDatetime


class Value(BaseModel):
    """A part of an event or command without an identity of its own: frozen; unknown fields are dropped."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(Value):
    """A fact in the log of one service, either published or kept.

    Subclasses set `TYPE` and `STREAM` (the kind of stream) and name their aggregate.
    """

    TYPE: ClassVar[str]
    STREAM: ClassVar[str]

    @property
    def aggregate_id(self) -> str:
        """Id of the thing that this fact is about; with the kind of stream it names the stream."""
        raise NotImplementedError

    @property
    def stream(self) -> str:
        """`{kind}-{aggregate id}`, unique within a tenant."""
        return f"{self.STREAM}-{self.aggregate_id}"


class PublishedEvent(Event):
    """A fact that other services may hear of: it travels on `TOPIC`, in order with its aggregate's others."""

    TOPIC: ClassVar[Topic]


class KeptEvent(Event):
    """A fact that serves the service `KEPT_BY` alone: it stands in its log and is on no bus."""

    KEPT_BY: ClassVar[str]


@dataclass(frozen=True, slots=True)
class Topic:
    """A log that facts of one kind of aggregate travel on, in order per key.

    `producer` is the only service that writes to it. `partitions` is what deployment creates.
    """

    name: str
    producer: str
    says: str
    partitions: int = 12
