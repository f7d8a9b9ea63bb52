"""The dependency rule holds: the import contracts of pyproject.toml, run as `make check` runs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def test_every_import_contract_is_kept() -> None:
    lint = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert lint.returncode == 0, lint.stdout + lint.stderr
    assert " 0 broken" in lint.stdout


def test_json_ld_is_left_to_the_workers_by_all_who_start() -> None:
    """PyLD takes a tenth of a second to load, and would make of each service a client of the network."""
    programs = "services.issuer.service, services.verifier.service, services.cli.keys"
    ask = [sys.executable, "-c", f"import sys, {programs}; print(*sys.modules)"]
    names = subprocess.run(ask, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split()
    assert "shared.proofs.rdfc" in names
    assert not {"pyld", "requests", "aiohttp"} & set(names)
