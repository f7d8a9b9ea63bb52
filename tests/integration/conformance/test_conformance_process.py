"""`python -m services.conformance` as a process: https on loopback, and never in production."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx2

from shared.embedded import free_port

START_WAIT_S = 60


def test_it_serves_https_on_loopback_and_stops_when_told(tmp_path: Path) -> None:
    port = free_port()
    process = started(port, {"TMPDIR": str(tmp_path)})
    try:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        deadline = time.monotonic() + START_WAIT_S
        with httpx2.Client(verify=context, trust_env=False) as client:
            while True:
                try:
                    told = client.get(f"https://127.0.0.1:{port}/").json()
                    break
                except httpx2.TransportError:
                    assert process.poll() is None
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
        assert told["eddsa-rdfc-2022"].startswith("did:key:z6Mk")
    finally:
        process.terminate()
        assert process.wait(START_WAIT_S) is not None
    assert list(tmp_path.iterdir()) == []


def test_it_does_not_start_in_production() -> None:
    process = started(free_port(), {"ENVIRONMENT": "production"})
    assert process.wait(START_WAIT_S) == 1


def started(port: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "services.conformance", "--port", str(port)]
    return subprocess.Popen(words, env=os.environ | environment)
