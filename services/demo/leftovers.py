"""The folder of a demo, and what killed demos left of theirs.

A database, a master key and letters must not lie about for ever, nor a PostgreSQL run on that nobody owns. A
demo that runs holds a lock on its folder, and soon another in that of its cluster; the kernel drops both with
it, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from shared.embedded import postmaster
from shared.embedded.folder import Folder
from shared.errors import Unavailable

PREFIX = "microcred-demo-"
LOCK = Path("postgres") / "owner.lock"
FRESH_S = 60.0
"""Until then a folder without LOCK may be one that was made this moment and is not locked yet."""


@contextmanager
def own_folder() -> Iterator[Path]:
    """Make the folder of a demo, and remove it with all that is in it when the block ends."""
    with ExitStack() as stack:
        made = tempfile.TemporaryDirectory(prefix=PREFIX)
        lock = os.open(made.name, os.O_RDONLY)
        stack.callback(os.close, lock)
        name = stack.enter_context(made)  # removed before the lock is dropped
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Path(name)


def clear() -> int:
    """Remove this user's folders of demos that ended without removing them; returns how many.

    A PostgreSQL that still runs in one is ended first; a folder whose PostgreSQL does not end is left.
    """
    cleared = 0
    for folder in Path(tempfile.gettempdir()).resolve().glob(f"{PREFIX}*"):
        with suppress(FileNotFoundError, Unavailable), ExitStack() as locks:
            if folder.stat().st_uid == os.getuid() and _is_dead(folder, locks):
                postmaster.clear(Folder(folder / LOCK.parent).data)
                shutil.rmtree(folder, ignore_errors=True)
                cleared += 1
    return cleared


def _is_dead(folder: Path, locks: ExitStack) -> bool:
    """Tell whether no demo runs in `folder`, nor starts there; its locks are then held by `locks`.

    Where a start or a removal was broken off, there may be no LOCK.
    """
    begun = (folder / LOCK).exists()
    if not begun and time.time() - folder.stat().st_mtime < FRESH_S:
        return False
    return _taken(folder, os.O_RDONLY, locks) and (not begun or _taken(folder / LOCK, os.O_RDWR, locks))


def _taken(path: Path, access: int, locks: ExitStack) -> bool:
    try:
        lock = os.open(path, access)
        locks.callback(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
