"""What machine the figures come from."""

from __future__ import annotations

import platform
from pathlib import Path

import psutil


def description(postgres_version: str) -> str:
    """Return one sentence: processor, cores, memory, system, Python, PostgreSQL."""
    return (
        f"{_processor()}, {psutil.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB,"
        f" {platform.system()} {platform.release()}, Python {platform.python_version()},"
        f" PostgreSQL {postgres_version} (embedded, fsync on) on the same machine"
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
