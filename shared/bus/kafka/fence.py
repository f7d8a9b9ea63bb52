"""The fence of a partition: a row in the consumer's own schema that tells its member from the one before.

Kafka takes a partition from a member that was silent for too long, but cannot stop that member's
transaction. So whoever is handed a partition takes the next epoch of its row, and every transaction checks
that the epoch is still its own. `position` notes how far the partition was dealt with; where to go on is
what the group committed, but for 0: a replay sets positions back so, and has the partition read from its
beginning by whoever is handed it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shared.eventstore.log import Connection

Partition = tuple[str, int]
"""(topic by its name in the contracts, number)"""

TAKE = """
INSERT INTO cursor AS held (name, epoch) SELECT name, 1 FROM unnest($1::text[]) AS name ORDER BY name
ON CONFLICT (name) DO UPDATE SET epoch = held.epoch + 1
RETURNING name, epoch, position
"""
SET_BACK = "SELECT name FROM cursor WHERE name = ANY($1) AND position = 0"
CHECK = """
UPDATE cursor SET position = mine.position, moved_at = now()
FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS mine (name, epoch, position)
WHERE cursor.name = mine.name AND cursor.epoch = mine.epoch
RETURNING 1
"""


def _name(consumer: str, partition: Partition) -> str:
    return f"{consumer}<{partition[0]}/{partition[1]}"


async def take(
    connection: Connection, consumer: str, partitions: Iterable[Partition]
) -> tuple[dict[Partition, int], set[Partition]]:
    """Take the partitions for this member; whoever had them is fenced from now on.

    Returns their epochs, and those of them that are to be read from their beginning.
    """
    by_name = {_name(consumer, partition): partition for partition in partitions}
    rows = await connection.fetch(TAKE, sorted(by_name))
    epochs = {by_name[row["name"]]: row["epoch"] for row in rows}
    return epochs, {by_name[row["name"]] for row in rows if row["position"] == 0}


async def set_back(connection: Connection, consumer: str, partitions: Iterable[Partition]) -> set[Partition]:
    """Return those of the partitions that are to be read from their beginning."""
    by_name = {_name(consumer, partition): partition for partition in partitions}
    return {by_name[row["name"]] for row in await connection.fetch(SET_BACK, list(by_name))}


async def check(
    connection: Connection, consumer: str, epochs: Mapping[Partition, int], positions: Mapping[Partition, int]
) -> bool:
    """Note in a transaction how far each of `positions` was dealt with; False if one is another's."""
    names = [_name(consumer, partition) for partition in positions]
    mine = [epochs.get(partition, 0) for partition in positions]
    return len(await connection.fetch(CHECK, names, mine, list(positions.values()))) == len(positions)
