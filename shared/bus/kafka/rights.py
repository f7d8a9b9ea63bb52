"""What each service may do on the cluster, as the contracts have it: least rights for one user a service.

Read from the published AsyncAPI document (docs/asyncapi.json), which says who sends and who receives on each
topic. Write and Read contain Describe, and a producer numbers its batches by its right to write: no right on
the cluster itself is needed. Making topics is for an operator's user, never for a service's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Grant:
    """Operations that a service's user may do on topics, or on all groups whose name begins with `group`."""

    service: str
    operations: tuple[str, ...]
    topics: tuple[str, ...] = ()
    group: str = ""

    def words(self) -> list[str]:
        """Return it as the arguments of Kafka's own `kafka-acls.sh`."""
        words = ["--add", "--allow-principal", f"User:{self.service}"]
        words += [word for each in self.operations for word in ("--operation", each)]
        words += [word for each in self.topics for word in ("--topic", each)]
        if self.group:
            words += ["--group", self.group, "--resource-pattern-type", "prefixed"]
        return words


def grants(document: Mapping[str, Any], prefix: str) -> list[Grant]:
    """Return what every service of the AsyncAPI `document` needs where names begin with `prefix`."""
    sends: dict[str, set[str]] = defaultdict(set)
    receives: dict[str, set[str]] = defaultdict(set)
    for name, operation in document["operations"].items():
        topic = prefix + operation["channel"]["$ref"].rpartition("/")[2]
        (sends if operation["action"] == "send" else receives)[name.partition(".")[0]].add(topic)
    found = []
    for service in sorted(sends.keys() | receives.keys()):
        if own := sends[service]:  # a relay reads their ends before it writes
            found.append(Grant(service, ("Write", "Read"), topics=tuple(sorted(own))))
        if others := receives[service] - own:
            found.append(Grant(service, ("Read",), topics=tuple(sorted(others))))
        if receives[service]:
            found.append(Grant(service, ("Read",), group=f"{prefix}{service}."))
    return found
