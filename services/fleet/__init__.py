"""An installation of processes: every service on its own, Apache Kafka between them, one port in front."""
