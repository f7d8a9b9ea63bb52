"""learner.erased: a learner was forgotten. Only the random id travels."""

from __future__ import annotations

from typing import ClassVar

from shared.contracts.event import Instant, PublishedEvent, Topic, Uuid
from shared.contracts.topics import LEARNERS


class LearnerErased(PublishedEvent):
    """The learner's key is gone, and with it every sealed field of this learner, everywhere."""

    TYPE: ClassVar[str] = "learner.erased.v1"
    TOPIC: ClassVar[Topic] = LEARNERS
    STREAM: ClassVar[str] = "learner"

    learner_id: Uuid
    erased_at: Instant

    @property
    def aggregate_id(self) -> str:
        return self.learner_id
