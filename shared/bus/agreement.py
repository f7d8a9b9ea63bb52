"""Whether the bus and a service's log are of one history; asked before a relay publishes anything.

Either of the two may have been set back. A broker that lost its topics has to be filled from the log before
anything new goes out, or facts would stand before those that they follow. A database restored from a backup
that is older than the topics has forgotten what others have long read: to go on would give the same places
in a stream to other facts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from shared.contracts import registry
from shared.contracts.event import Topic
from shared.contracts.topics import TOPICS
from shared.errors import Conflict, Unavailable
from shared.eventstore.log import Connection

Tails = Mapping[str, Sequence[UUID]]
"""By topic, the ids of the last events of those of its partitions that have any; an empty topic has none."""

KNOWN = "SELECT id FROM event WHERE id = ANY($1)"
PUBLISHED = "SELECT EXISTS (SELECT FROM event WHERE type = ANY($1) AND position <= $2)"


def topics_of(producer: str) -> list[Topic]:
    """Return the topics that the service writes to."""
    return [topic for topic in TOPICS if topic.producer == producer]


async def agree(connection: Connection, producer: str, tails: Tails, position: int) -> None:
    """Return if the topics of `producer` end with events of its log, which was published up to `position`.

    Raises Conflict('log-set-back') where a topic ends with an event that the log does not have, and
    Unavailable where one is empty that was published to: republication mends that.
    """
    ends = {event_id for ids in tails.values() for event_id in ids}
    known = {row["id"] for row in await connection.fetch(KNOWN, list(ends))}
    if ends - known:
        raise Conflict(
            "log-set-back",
            f"Kafka holds events of the {producer} that its database does not know: the database was restored"
            " from a backup that is older. Restore a newer one; or give up what came after the backup: stop"
            " all services, set KAFKA_PREFIX to a new value, run deploy/topics.py and start again, so that"
            " every topic is filled from the databases (docs/how-to/lost-broker.md).",
        )
    for topic in topics_of(producer):
        types = registry.stored_types(event for event in registry.PUBLISHED if topic == event.TOPIC)
        if not tails[topic.name] and await connection.fetchval(PUBLISHED, types, position):
            raise Unavailable(
                f"The topic {topic.name} is empty, and events were published to it: the broker lost them."
                f" Fill it again with: microcred republish {producer} --from 0"
            )
