"""A world that was started once and that nobody uses yet, to be copied: each made anew would take seconds.

What a first start does by itself is seen by the tests of the `microcred` command, which copy nothing.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from services.world import open_world
from shared.embedded import free_port

NO_LETTERS = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": "25", "MAIL_SENDER": "badges@example.org"}


async def make_new_world(folder: Path) -> None:
    """Start the world of `folder` for the first time, and stop it."""
    async with open_world(folder, free_port(), NO_LETTERS, durable=False):
        pass
    (folder / "postgres" / "port").unlink()  # or every copy would want the same


def copy_world(new_world: Path, folder: Path) -> Path:
    """Make `folder` a world like `new_world`; addresses and settings come with its next start."""
    return Path(shutil.copytree(new_world, folder))
