"""The bus on a real Apache Kafka: the only package that knows its client."""

from __future__ import annotations

from shared.bus.kafka.bus import KafkaBus
from shared.bus.kafka.connection import Cluster

__all__ = ["Cluster", "KafkaBus"]
