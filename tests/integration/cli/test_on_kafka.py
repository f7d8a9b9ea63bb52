"""`demo --bus kafka` and `serve --bus kafka`: the same job with every service a process of its own."""

from __future__ import annotations

import json
import signal
import uuid
from pathlib import Path

import pytest

from shared.embedded import free_port
from shared.embedded.guard import gone_within
from shared.embedded.processes import command_line
from tests.integration.cli.conftest import GONE_WAIT_S, Cohort, microcred, running
from tests.integration.cli.test_serve_command import credential_of, paste, printed_key, printed_lines, until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
DEMO_WAIT_S = 200
PARTS = ("assessor", "desk", "notifier", "signer", "verifier")


@pytest.fixture
def on_the_session_broker(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `serve` use the broker that is there, under names of its own."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka)
    monkeypatch.setenv("KAFKA_PREFIX", f"{uuid.uuid4().hex}.")


def test_the_whole_job_runs_on_a_broker_and_processes_of_its_own(cohort: Cohort, tmp_path: Path) -> None:
    with running(tmp_path, "demo", "--bus", "kafka", "--json", "--cohort", str(cohort.path)) as program:
        program.says("Starting Apache Kafka")
        program.says("Listening on")
        below = program.family()
        lines = [command_line(pid) for pid in below]
        for module in ("assessor ", "issuer --only desk", "issuer --only signer", "verifier ", "notifier "):
            assert any(f"-m services.{module}" in line for line in lines), module
        assert program.process.wait(DEMO_WAIT_S) == 0, program.said
        assert all(gone_within(pid, GONE_WAIT_S) for pid in below)
        report = json.loads(program.said.splitlines()[-1])
    assert report["bus"] == "kafka"
    assert report["issued"] == report["signed"] == report["announced"] == cohort.passed
    assert (report["verified_before"], report["verified_after"]) == ("valid", "invalid")


@pytest.mark.usefixtures("on_the_session_broker")
def test_killed_it_leaves_no_process_and_the_next_start_has_everything(tmp_path: Path) -> None:
    data, port = tmp_path / "data", str(free_port())
    words = ("serve", "--bus", "kafka", "--data", str(data))
    with running(tmp_path / "first", *words, "--port", port) as program:
        program.says("Ready.")
        submit, ask, verify = printed_lines(program.said)
        assert paste(submit)["outcome"] == "passed"
        credential = credential_of(ask)
        assert paste(verify)["verdict"] == "valid"
        until(lambda: len(list((data / "mail").glob("*.eml"))) == 1)
        key = printed_key(program.said)
        assert program.end(signal.SIGKILL) == -signal.SIGKILL
    with running(tmp_path / "again", *words) as program:
        program.says("Ready.")
        assert printed_key(program.said) == key
        assert credential_of(ask) == credential
        assert paste(verify)["verdict"] == "valid"
        assert microcred("replay", "verifier", "--data", str(data)).returncode == 0
        assert paste(verify)["verdict"] == "valid"
        assert program.end(signal.SIGINT) == 0
    assert sorted(path.stem for path in (data / "log").iterdir()) == [f"{part}-1" for part in PARTS]
