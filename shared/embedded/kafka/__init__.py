"""A real Apache Kafka in a folder of ours: one KRaft node on the loopback interface.

Kafka's own code, from the Docker image where a daemon answers, else from its Maven artifacts on Java 17 or
newer. Made for `make kafka`, `demo`, the tests and the bench; a cluster is run by people who know how.
"""

from __future__ import annotations

from shared.embedded.kafka.artifacts import find
from shared.embedded.kafka.broker import Broker, broker

__all__ = ["Broker", "broker", "find"]
