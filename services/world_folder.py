"""The folder of a world remembers the settings that the world last ran with, as variables.

That is how the operator's commands find a running world, and how a world comes up again as it was.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from shared.errors import Invalid

ENVIRONMENT_FILE = "environment"


def was_started(folder: Path) -> bool:
    """Tell whether a world ever ran in `folder`."""
    return (folder / ENVIRONMENT_FILE).exists()


def read_environment(folder: Path) -> dict[str, str]:
    """Return the settings that the world of `folder` last ran with. Raises Invalid if there is none."""
    try:
        lines = (folder / ENVIRONMENT_FILE).read_text("utf-8").splitlines()
    except FileNotFoundError:
        raise Invalid("world-unknown", f"No world was ever started in {folder}: run 'make serve'.") from None
    return dict(line.split("=", 1) for line in lines if "=" in line)


def kept_port(folder: Path) -> int | None:
    """Return the port of the world of `folder`, which its signed documents name; None for a new folder."""
    if not was_started(folder):
        return None
    return urlsplit(read_environment(folder)["PUBLIC_URL"]).port


def write_environment(folder: Path, environment: Mapping[str, str]) -> None:
    """Write down the settings of the world of `folder`, for its owner alone."""
    descriptor = os.open(folder / ENVIRONMENT_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in sorted(environment.items()))
