"""Starts the other implementations: one Node process a session, its packages installed from the lock."""

from __future__ import annotations

import fcntl
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.proofs import contexts
from tests.integration.issuer.conftest import desk

__all__ = ["desk"]  # a fixture: the issuer whose documents are given to others
HERE = Path(__file__).parent
PINNED = Path(str(contexts.__file__)).parent
INSTALL_WAIT_S = 120
ANSWER_LINE_BYTES_MAX = 1_000_000


class PeerError(Exception):
    """The other implementation threw; the text is its own."""


class Peer:
    """The other implementations as peer.mjs offers them: one call at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, operation: str, **request: Any) -> Any:
        """The value of an operation of peer.mjs. Raises PeerError where it throws."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"operation": operation, **request}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline(ANSWER_LINE_BYTES_MAX))
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer.get("value")


@pytest.fixture(scope="session")
def packages() -> Path:
    """The installed packages; `npm ci` takes exactly those whose digests stand in the lock.

    One process installs and the others wait for it: two at once remove each other's packages.
    """
    installed = HERE / "node_modules" / ".package-lock.json"
    wanted = HERE / "package-lock.json"
    with wanted.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
            subprocess.run(["npm", "ci"], cwd=HERE, check=True, timeout=INSTALL_WAIT_S, capture_output=True)
    return HERE / "node_modules"


@pytest.fixture(scope="session")
def peer(packages: Path) -> Iterator[Peer]:
    process = subprocess.Popen(
        ["node", "peer.mjs", str(PINNED)],
        cwd=packages.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield Peer(process)
    finally:
        process.kill()
        process.communicate()
