"""The broker's classes as Java has them in memory, written down once: a start then takes half the work.

It is Java's application class-data sharing (JEP 350). A broker that is started while there is no archive
writes one when it ends in order, and every later start reads it. An archive belongs to its jars and to the
Java that wrote it; a Java that cannot use it goes on without.
"""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from dataclasses import dataclass
from pathlib import Path

QUIET = ("-Xlog:cds=off", "-Xlog:cds+dynamic=off")


def archive_of(java: str, jars: Path) -> Path:
    """Return where the archive of `jars` for this `java` is, or would be: beside the jars."""
    program = Path(java).resolve()
    identity = f"{program} {program.stat().st_mtime_ns}"
    return jars.with_name(f"{jars.name}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}.jsa")


@dataclass(frozen=True, slots=True)
class ClassArchive:
    """The archive as one run of Java sees it: to read from, or to write. Made by `open`."""

    path: Path
    draft: Path | None
    """Where this run writes one."""

    @classmethod
    def open(cls, java: str, jars: Path, *, writable: bool) -> ClassArchive:
        """Look for the archive of `jars`; if there is none, have one written where that is `writable`."""
        path = archive_of(java, jars)
        wanted = writable and not path.exists()
        return cls(path, path.with_suffix(f".{uuid.uuid4().hex}") if wanted else None)

    @property
    def reading(self) -> tuple[str, ...]:
        """Java's options for a program that reads the archive, if there is one."""
        return (f"-XX:SharedArchiveFile={self.path}", *QUIET) if self.path.exists() else ()

    @property
    def writing(self) -> tuple[str, ...]:
        """Java's options for the program whose classes they are: it reads the archive, or writes one."""
        return (f"-XX:ArchiveClassesAtExit={self.draft}", *QUIET) if self.draft else self.reading

    def close(self, *, keep: bool) -> None:
        """Take what the run has written, once it has ended; one that was killed has written nothing."""
        if self.draft is not None:
            with contextlib.suppress(FileNotFoundError):
                self.draft.rename(self.path) if keep else self.draft.unlink()
