"""`deploy/topics.py`: makes what is missing, once, and says what is not as the contracts want it."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from shared.bus.kafka import Cluster, topics
from shared.bus.kafka.topics import Durability
from shared.contracts.topics import ASSESSMENTS, LEARNERS, TOPICS
from shared.embedded import free_port
from tests.contract.bus.buses import ONE_BROKER

pytestmark = pytest.mark.kafka

PROGRAM = Path(__file__).parents[3] / "deploy" / "topics.py"
ONE = ("--replication-factor", "1", "--min-insync-replicas", "1")
COMMAND_WAIT_S = 60


@pytest.fixture
async def empty(kafka: str) -> AsyncIterator[Cluster]:
    """The session's broker under names that nobody has used."""
    cluster = Cluster(kafka, prefix=f"{uuid.uuid4().hex}.")
    yield cluster
    await topics.delete(cluster, TOPICS)


def run(cluster: Cluster, *words: str) -> subprocess.CompletedProcess[str]:
    settings = {"KAFKA_BOOTSTRAP_SERVERS": cluster.bootstrap_servers, "KAFKA_PREFIX": cluster.prefix}
    return subprocess.run(
        [sys.executable, PROGRAM, *words],
        env=os.environ | settings,
        check=False,
        capture_output=True,
        text=True,
        timeout=COMMAND_WAIT_S,
    )


def test_the_program_makes_the_topics_once_and_its_check_changes_nothing(empty: Cluster) -> None:
    before = run(empty, "--check", *ONE)
    assert before.returncode == 1
    assert before.stdout.splitlines() == [f"{topic.name}: is not there" for topic in TOPICS]
    made = run(empty, *ONE)
    assert made.returncode == 0
    assert [line for line in made.stdout.splitlines() if line.endswith(": made")] == [
        f"{topic.name}: made" for topic in TOPICS
    ]
    again = run(empty, *ONE)
    assert (again.returncode, again.stdout) == (0, f"{len(TOPICS)} topics are as the contracts want them.\n")
    assert run(empty, "--check", *ONE).returncode == 0


async def test_each_difference_is_a_sentence(empty: Cluster) -> None:
    await topics.create(empty, [replace(ASSESSMENTS, partitions=3), LEARNERS], ONE_BROKER)
    assert await topics.differences(empty, [ASSESSMENTS, LEARNERS], ONE_BROKER) == [
        "assessments: has 3 partitions instead of 12"
    ]
    assert await topics.differences(empty, [LEARNERS], Durability()) == [
        "learners: has 1 replicas instead of 3",
        "learners: min.insync.replicas is 1 instead of 2",
    ]


def test_what_a_cluster_refuses_and_a_cluster_that_is_away_are_one_sentence_each(empty: Cluster) -> None:
    refused = run(empty)
    assert refused.returncode == 1
    assert "refused to make" in refused.stderr
    assert "Traceback" not in refused.stderr
    away = run(replace(empty, bootstrap_servers=f"127.0.0.1:{free_port()}"), "--check")
    assert away.returncode == 1
    assert away.stderr.startswith("Kafka does not answer")
