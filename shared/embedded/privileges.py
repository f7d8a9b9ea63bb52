"""Starts PostgreSQL as somebody it accepts, since it refuses to run as root.

An ordinary user runs it directly. Root (containers, mostly) has two ways, tried in this order:

1. a user namespace in which root is called uid 1000: nothing on disk changes hands;
2. where namespaces are closed, as in most containers, or the folder lies below one that another user keeps
   closed: the user `nobody`, who keeps the one capability of passing closed folders. So neither the programs
   nor the data need to be copied out of anybody's home; the data folder alone changes its owner.

Where neither works it refuses, with a sentence, rather than loosen anybody's permissions.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from shared.errors import Invalid

PROBE_WAIT_S = 20.0

_NAMESPACE = ("unshare", "--user", "--map-user=1000")


@dataclass(frozen=True)
class Privileges:
    """What stands before a command line, and whose the files are that it makes."""

    prefix: tuple[str, ...]
    uid: int
    gid: int

    def give(self, folder: Path) -> None:
        """Make `folder` and all below it belong to whoever will run PostgreSQL, if it does not yet.

        Raises Invalid where it belongs to somebody else and we are not root.
        """
        if folder.stat().st_uid == self.uid:
            return
        if os.geteuid() != 0:
            raise Invalid(
                "folder-of-another-user",
                f"{folder} belongs to another user of this machine. Choose another, or run as that user.",
            )
        for parent, _, names in os.walk(folder):
            for path in (parent, *(os.path.join(parent, name) for name in names)):
                os.chown(path, self.uid, self.gid, follow_symlinks=False)


def privileges(program: Path, folder: Path) -> Privileges:
    """How the present user can run `program` on data in `folder`. Raises Invalid where root has no way."""
    if os.geteuid() != 0:
        return Privileges((), os.geteuid(), os.getegid())
    for way in (Privileges(_NAMESPACE, 0, 0), _as_nobody()):
        if shutil.which(way.prefix[0]) and _works(way.prefix, program, folder):
            return way
    raise Invalid(
        "root-cannot-run-postgres",
        "PostgreSQL refuses to run as root, and neither `unshare` nor `setpriv` (package util-linux) can "
        "start it as somebody else here. Run microcred as an ordinary user, or give it the address of a "
        "running PostgreSQL.",
    )


def _as_nobody() -> Privileges:
    nobody = pwd.getpwnam("nobody")
    capability = "+dac_override"
    return Privileges(
        (
            "setpriv",
            f"--reuid={nobody.pw_uid}",
            f"--regid={nobody.pw_gid}",
            "--clear-groups",
            f"--inh-caps={capability}",
            f"--ambient-caps={capability}",
        ),
        nobody.pw_uid,
        nobody.pw_gid,
    )


def _works(prefix: tuple[str, ...], program: Path, folder: Path) -> bool:
    """Try it: in a namespace, root is a stranger to what other users keep closed, their checkout included."""
    try:
        answer = subprocess.run(  # noqa: S603 - fixed arguments
            [*prefix, "/bin/sh", "-c", 'cd "$1" && "$0" --version', program, folder],
            capture_output=True,
            timeout=PROBE_WAIT_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return answer.returncode == 0
