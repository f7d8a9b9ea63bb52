"""`microcred serve`: what it prints works when pasted, and what it keeps survives every kind of end."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.world import DATABASE
from shared.embedded import Cluster, free_port, postmaster
from shared.embedded.stopping import held
from shared.program import EXIT_STUCK
from tests.integration.cli.conftest import COMMAND_WAIT_S, Served, all_at_once, serving, until

PASTE_WAIT_S = 30


def paste(line: str) -> Any:
    """Run a printed line in a shell as it stands; returns the JSON that it answers."""
    assert shutil.which("curl"), "the printed lines need curl: install it to run this test"
    answer = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, timeout=PASTE_WAIT_S, check=True
    )
    return json.loads(answer.stdout)


def printed_lines(said: str) -> list[str]:
    """Return the curl lines that were printed."""
    return re.findall(r"^  (curl .*)$", said, re.MULTILINE)


def printed_key(said: str) -> str:
    (token,) = set(re.findall(r"mc_\w{8}_[\w-]{43}", said))
    return str(token)


def credential_of(line: str) -> dict[str, Any]:
    """Paste the line that asks for the credential until it is signed."""
    found: list[dict[str, Any]] = []

    def signed() -> bool:
        found[:] = paste(line)["credentials"]
        return bool(found) and found[0]["state"] == "signed"

    until(signed)
    return found[0]


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=PASTE_WAIT_S) as answer:  # noqa: S310 - loopback
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code


@pytest.fixture
def occupied() -> Any:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        yield stranger.getsockname()[1]


def test_what_it_prints_works_when_pasted_and_survives_every_end(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving(tmp_path / "first", data, free_port()) as program:
        submit, ask, verify = printed_lines(program.said)
        key = printed_key(program.said)
        assert key not in submit + ask + verify, "arguments are seen by every user of the machine"
        assert ["Content-Type" in line for line in (submit, ask, verify)] == [True, False, False]
        assert re.search(r'"assessed_at": "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"', submit)
        assert {stat.S_IMODE(path.stat().st_mode) for path in data.glob("development-key*")} == {0o600}
        assert paste(submit)["outcome"] == "passed"
        credential = credential_of(ask)
        assert paste(verify)["verdict"] == "valid"
        for address in set(re.findall(r"http://\S+/(?:docs|metrics|issuers/[\w-]+)\b", program.said)):
            assert status_of(address) == 200, address
        until(lambda: len(list((data / "mail").glob("*.eml"))) == 1)
        assert program.end(signal.SIGINT) == 0
    for number, end in enumerate((signal.SIGKILL, signal.SIGTERM)):
        with serving(tmp_path / f"again-{number}", data) as program:
            assert printed_key(program.said) == key
            assert credential_of(ask) == credential
            assert paste(verify)["verdict"] == "valid"
            program.end(end)


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT])
def test_it_ends_with_its_postgresql_says_so_and_is_up_again_when_started_again(
    tmp_path: Path, kind: signal.Signals
) -> None:
    data = tmp_path / "data"
    with serving(tmp_path / "first", data, free_port()) as program:
        submit, ask, _ = printed_lines(program.said)
        assert paste(submit)["outcome"] == "passed"
        credential = credential_of(ask)
        until(lambda: any((data / "mail").glob("*.eml")))
        running = postmaster.read(data / "postgres" / "data")
        assert running is not None
        os.kill(running.pid, kind)
        assert program.process.wait(COMMAND_WAIT_S) == EXIT_STUCK
        assert "Cannot go on, and ends here. The embedded PostgreSQL has ended" in program.said
        assert "started again, goes on from there" in program.said
        until(lambda: not program.named())
    asyncio.run(hold_all_deliveries(data))
    with serving(tmp_path / "again", data):
        assert credential_of(ask) == credential


async def hold_all_deliveries(data: Path) -> None:
    """Leave every delivery of the world in `data` as a courier does that was killed in the middle of it."""
    async with held(partial(Cluster.open, data / "postgres")) as cluster:
        connection = await asyncpg.connect(cluster.dsn(DATABASE))
        done = await connection.execute(
            "UPDATE notifier.delivery"
            " SET state = 'held', holder = gen_random_uuid(), due_at = now() + interval '1 hour'"
        )
        await connection.close()
    assert done == "UPDATE 1"


def test_a_folder_and_a_port_are_taken_once_and_belong_together(
    served: Served, tmp_path: Path, occupied: int
) -> None:
    other_port, twice, port_taken = all_at_once(
        ("serve", "--data", str(served.data), "--port", str(free_port())),
        ("serve", "--data", str(served.data)),
        ("serve", "--data", str(tmp_path / "other"), "--port", str(occupied)),
    )
    port = served.address.rpartition(":")[2]
    assert f"names port {port}" in other_port.stderr
    assert "in use by another microcred" in twice.stderr
    assert f"Port {occupied} of 127.0.0.1 is taken" in port_taken.stderr
    assert not (tmp_path / "other" / "environment").exists(), "a folder keeps no port that it never had"
    for refused in (other_port, twice, port_taken):
        assert refused.returncode == 1
        assert "Traceback" not in refused.stderr
    assert status_of(f"{served.address}/health/ready") == 200
    assert served.run("issuers", "list").returncode == 0, "the one that was first works on, commands too"
