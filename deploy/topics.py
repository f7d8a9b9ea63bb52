"""Makes the topics of the contracts on an Apache Kafka, and checks them.

    python deploy/topics.py            make what is missing, then check
    python deploy/topics.py --check    change nothing; exit code 1 if anything differs
    python deploy/topics.py --acls     print the rights that each service's user needs, and do nothing

What --acls prints are commands of Kafka's own tools, for users that are named like the services. An
operator's user runs them, and makes the topics.

The cluster is read from the KAFKA_… variables of docs/SETTINGS.md. Three replicas of which two must have a
record before it counts are the default; on a single broker: --replication-factor 1 --min-insync-replicas 1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from services.starting import cluster_of
from shared.bus.kafka.rights import grants
from shared.bus.kafka.topics import Durability, create, differences
from shared.contracts.topics import TOPICS
from shared.errors import Rejected, Unavailable
from shared.settings import KafkaSettings
from shared.telemetry import configure_logging

DOCUMENT = Path(__file__).parents[1] / "docs" / "asyncapi.json"
"""Says which service writes and which reads each topic."""


def acls() -> list[str]:
    """Return the commands that give each service's user its rights, and no other."""
    settings = KafkaSettings()
    servers = settings.kafka_bootstrap_servers or "BROKER:9092"
    tool = ["kafka-acls.sh", "--bootstrap-server", servers, "--command-config", "admin.properties"]
    document = json.loads(DOCUMENT.read_text("utf-8"))
    return [shlex.join([*tool, *grant.words()]) for grant in grants(document, settings.kafka_prefix)]


async def look_after(durability: Durability, *, check_only: bool) -> int:
    """Make and check; the exit code."""
    cluster = cluster_of(KafkaSettings())
    if not check_only:
        for name in await create(cluster, TOPICS, durability):
            print(f"{name}: made")
    found = await differences(cluster, TOPICS, durability)
    for sentence in found:
        print(sentence)
    if not found:
        print(f"{len(TOPICS)} topics are as the contracts want them.")
    return 1 if found else 0


def main() -> int:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing")
    parser.add_argument("--acls", action="store_true", help="print the rights of each service's user")
    parser.add_argument("--replication-factor", type=int, default=3, help="brokers that hold each record")
    parser.add_argument("--min-insync-replicas", type=int, default=2, help="of which so many must have it")
    asked = parser.parse_args()
    if asked.acls:
        print("\n".join(acls()))
        return 0
    configure_logging("ERROR")
    durability = Durability(asked.replication_factor, asked.min_insync_replicas)
    try:
        return asyncio.run(look_after(durability, check_only=asked.check))
    except (Rejected, Unavailable) as refusal:
        print(refusal.message, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
