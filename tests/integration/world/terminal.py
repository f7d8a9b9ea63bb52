"""A page of docs/how-to as its reader works with it: block after block, pasted beside a running world."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from services.world_folder import read_environment
from tests.integration.world.conftest import PeopledWorld

ROOT = Path(__file__).parent.parent.parent.parent
HOW_TO = ROOT / "docs" / "how-to"
BLOCK = re.compile(r"^<!-- run -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REMEMBER = "\nexport -p > variables\n"


def blocks(page: str) -> list[str]:
    """The blocks of a page that are to be run."""
    return BLOCK.findall((HOW_TO / page).read_text("utf-8"))


class Terminal:
    """A terminal in the project's folder, as the page asks for: what a block exports, the next one has.

    `variables` are what the reader has exported before.
    """

    def __init__(self, folder: Path, world: PeopledWorld, **variables: str) -> None:
        self._folder = folder
        self._world = world
        folder.mkdir()
        (folder / "examples").symlink_to(ROOT / "examples")
        exported = "".join(f"export {name}={value}\n" for name, value in variables.items())
        (folder / "variables").write_text(exported, "utf-8")

    async def paste(self, block: str) -> str:
        """Run a block and wait until the world has done what follows from it; returns what it printed."""
        environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "200",
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
