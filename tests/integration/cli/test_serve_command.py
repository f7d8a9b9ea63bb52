"""`microcred serve`: what it prints works when pasted, and what it keeps survives every kind of end."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from shared.embedded import free_port
from tests.integration.cli.conftest import Served, microcred, serving, until

PASTE_WAIT_S = 30
SIGNED_WAIT_S = 30
POLL_EVERY_S = 0.1


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
    deadline = time.monotonic() + SIGNED_WAIT_S
    while True:
        found: list[dict[str, Any]] = paste(line)["credentials"]
        if found and found[0]["state"] == "signed":
            return found[0]
        assert time.monotonic() < deadline
        time.sleep(POLL_EVERY_S)


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
    data, port = tmp_path / "data", free_port()
    program = serving(tmp_path / "first", data, port)
    submit, ask, verify = printed_lines(program.said)
    assert paste(submit)["outcome"] == "passed"
    credential = credential_of(ask)
    assert paste(verify)["verdict"] == "valid"
    for address in set(re.findall(r"http://\S+/(?:docs|metrics|issuers/[\w-]+)\b", program.said)):
        assert status_of(address) == 200, address
    until(lambda: len(list((data / "mail").glob("*.eml"))) == 1)
    key = printed_key(program.said)
    assert program.end(signal.SIGINT) == 0

    for number, end in enumerate((signal.SIGKILL, signal.SIGTERM)):
        program = serving(tmp_path / f"again-{number}", data, port)
        assert printed_key(program.said) == key
        assert credential_of(ask) == credential
        assert paste(verify)["verdict"] == "valid"
        program.end(end)


def test_a_folder_keeps_the_port_that_its_documents_name(served: Served) -> None:
    moved = microcred("serve", "--data", str(served.data), "--port", str(free_port()))
    assert moved.returncode == 1
    assert "names port" in moved.stderr


def test_one_folder_and_one_port_are_taken_once(served: Served, tmp_path: Path, occupied: int) -> None:
    folder_taken = microcred("serve", "--data", str(served.data))
    assert folder_taken.returncode == 1
    assert "in use by another microcred" in folder_taken.stderr
    port_taken = microcred("serve", "--data", str(tmp_path / "other"), "--port", str(occupied))
    assert port_taken.returncode == 1
    assert f"Port {occupied} of 127.0.0.1 is taken by another program." in port_taken.stderr
    for refused in (folder_taken, port_taken):
        assert "Traceback" not in refused.stderr
    assert status_of(f"{served.address}/health/ready") == 200
    assert served.run("issuers", "list").returncode == 0, "the one that was first works on, commands too"
