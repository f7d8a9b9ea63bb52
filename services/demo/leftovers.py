"""Clears what killed demos left: a database, a master key and letters must not lie about for ever.

A demo that runs holds the lock of its cluster's folder, which the kernel drops with it, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "microcred-demo-"
LOCK = Path("postgres") / "owner.lock"


def clear() -> int:
    """Remove this user's folders of demos that ended without removing them; returns how many."""
    folders = Path(tempfile.gettempdir()).glob(f"{PREFIX}*")
    left = [folder for folder in folders if folder.stat().st_uid == os.getuid() and _is_dead(folder)]
    for folder in left:
        shutil.rmtree(folder, ignore_errors=True)
    return len(left)


def _is_dead(folder: Path) -> bool:
    """Tell whether a demo once ran in `folder` and none does now; one that just starts has no lock yet."""
    try:
        lock = os.open(folder / LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(lock)
