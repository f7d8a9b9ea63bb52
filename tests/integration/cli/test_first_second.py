"""What a command is asked before it is ready for anything: its version, its name, to stop."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from services.cli import EXIT_INTERRUPTED
from tests.integration.cli.conftest import COMMAND_WAIT_S, environment, microcred

INTERRUPTED_WHILE_IMPORTING = """
import importlib.abc, os, signal, sys

MODULE = sys.argv.pop()

class Interrupting(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == MODULE:
            print("importing", flush=True)
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupting())
from services.cli import main
main()
"""


def test_the_version_is_told_without_a_world() -> None:
    told = microcred("--version")
    assert (told.returncode, told.stderr) == (0, "")
    assert re.fullmatch(r"microcred \d+\.\d+\.\d+\n", told.stdout)


@pytest.mark.parametrize("module", ["services.cli.commands", "typer", "pydantic", "services.cli.settings"])
def test_ctrl_c_while_it_is_still_being_imported_ends_it_quietly(module: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_WHILE_IMPORTING, "settings", module],
        capture_output=True,
        text=True,
        timeout=COMMAND_WAIT_S,
        env=environment(),
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (EXIT_INTERRUPTED, "importing\n", "")


def test_a_command_that_is_named_does_not_wait_for_the_others_to_be_imported() -> None:
    named = """
import sys
from services.cli.commands import app_of
app_of(["settings", "--help"])
print(*sorted({"services.cli.settings", "services.cli.verify"} & sys.modules.keys()))
"""
    told = subprocess.run([sys.executable, "-c", named], capture_output=True, text=True, check=True)
    assert told.stdout == "services.cli.settings\n"
