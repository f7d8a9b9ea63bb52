"""docs/how-to/first-issuer.md, pasted block after block into a shell beside a running world."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from services.world import read_environment
from tests.integration.world.conftest import PeopledWorld

ROOT = Path(__file__).parent.parent.parent.parent
PAGE = ROOT / "docs" / "how-to" / "first-issuer.md"
BLOCK = re.compile(r"^<!-- run -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REMEMBER = "\nexport -p > variables\n"


class Terminal:
    """A terminal in the project's folder, as the page asks for: what a block exports, the next one has."""

    def __init__(self, folder: Path, world: PeopledWorld) -> None:
        self._folder = folder
        self._world = world
        folder.mkdir()
        (folder / "examples").symlink_to(ROOT / "examples")
        (folder / "variables").touch()

    async def paste(self, block: str) -> str:
        """Run a block and wait until the world has done what follows from it; returns what it printed."""
        environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "ADDRESS": self._world.installation.address,
            **read_environment(self._world.installation.folder),
        }
        shell = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-eu",
            "-c",
            f". ./variables\n{block}{REMEMBER}",
            cwd=self._folder,
            env=environment,
            stdout=PIPE,
            stderr=PIPE,
        )
        answer, complaint = await shell.communicate()
        assert shell.returncode == 0, f"this failed:\n{block}\n{answer.decode()}\n{complaint.decode()}"
        await self._world.settled()
        return answer.decode()


async def test_the_page_leads_from_nothing_to_a_credential_verified_revoked_and_forgotten(
    world: PeopledWorld, tmp_path: Path
) -> None:
    terminal = Terminal(tmp_path / "terminal", world)
    said = [await terminal.paste(block) for block in BLOCK.findall(PAGE.read_text("utf-8"))]
    created, _, achievement, assessment, cohort, verified, offline, revoked, again, _, erased, gone = said

    assert "north-academy" in created
    assert json.loads(achievement)["version"] == 1
    assert json.loads(assessment)["outcome"] == "passed"
    assert {json.loads(line)["outcome"] for line in cohort.splitlines()} == {"passed", "failed"}
    credential, verdict = _documents(verified)
    assert credential["credentials"][0]["state"] == "signed"
    assert verdict["verdict"] == "valid"
    assert "VALID" in offline
    assert json.loads(revoked)["revocation_reason"] == "issued-in-error"
    assert json.loads(again)["verdict"] == "invalid"
    assert erased == ""
    assert gone == "410\n"


def _documents(text: str) -> tuple[dict[str, object], ...]:
    """The JSON documents in a block's output, one after the other."""
    decoder, found = json.JSONDecoder(), []
    while text := text.strip():
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:]
    return tuple(found)
