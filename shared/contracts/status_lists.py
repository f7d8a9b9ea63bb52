"""status-list.published: every signed version of a status list (W3C Bitstring Status List 1.0)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from shared.contracts.event import Instant, PublishedEvent, Topic, Uuid
from shared.contracts.topics import STATUS_LISTS


class StatusListPublished(PublishedEvent):
    """Version `version` of a list: the whole signed BitstringStatusListCredential as JSON text.

    The first version is all zero and is published before any credential names the list.
    """

    TYPE: ClassVar[str] = "status-list.published.v1"
    TOPIC: ClassVar[Topic] = STATUS_LISTS
    STREAM: ClassVar[str] = "status-list"

    list_id: Uuid
    version: int = Field(ge=1)
    purpose: str = "revocation"
    credential: str
    published_at: Instant
    valid_until: Instant

    @property
    def aggregate_id(self) -> str:
        return self.list_id
