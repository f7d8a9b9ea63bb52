"""`make kafka` and `make kafka-stop`: a broker that stays until it is stopped.

python deploy/kafka/broker.py start [--port 9092] [--folder var/kafka]
python deploy/kafka/broker.py stop  [--folder var/kafka]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from shared.embedded.kafka.artifacts import say_on_standard_error  # noqa: E402
from shared.embedded.kafka.broker import Broker, running  # noqa: E402
from shared.embedded.kafka.place import Place  # noqa: E402
from shared.embedded.ports import HOST  # noqa: E402
from shared.errors import Rejected, Unavailable  # noqa: E402


def start(folder: Path, port: int | None) -> None:
    """Start the broker of `folder`, or say that it runs."""
    if running(Place(folder)) is not None:
        print(f"Kafka runs already on {HOST}:{Place(folder).last_ports()[0]}. Stop it with: make kafka-stop")
        return
    broker = Broker.open(folder, port=port, detached=True, say=say_on_standard_error)
    print(f"{broker.source} takes clients on {broker.address}")
    print(f"  use it:  KAFKA_BOOTSTRAP_SERVERS={broker.address}")
    print("  stop it: make kafka-stop")


def stop(folder: Path) -> None:
    """Stop the broker of `folder` by its process id."""
    found = running(Place(folder))
    if found is None:
        print("No Kafka runs.")
        return
    found.stop()
    print("Kafka is stopped.")


def main() -> int:
    """Do what the command line asks; a refusal is one sentence and exit code 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("verb", choices=["start", "stop"])
    parser.add_argument("--port", type=int, help="the port for clients; without it a free one")
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "kafka", help="where its data lies")
    asked = parser.parse_args()
    try:
        start(asked.folder, asked.port) if asked.verb == "start" else stop(asked.folder)
    except (Rejected, Unavailable) as refusal:
        print(refusal.message, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
