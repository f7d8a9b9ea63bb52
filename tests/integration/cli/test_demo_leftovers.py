"""What a demo leaves when it is ended before it is up, and what the next one does about what others left."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from pathlib import Path

import pytest

from services.demo import leftovers
from tests.integration.cli.conftest import COMMAND_WAIT_S, running, until
from tests.integration.test_embedded_postgres import nothing_left_in, owning_program, processes_of


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which demos have theirs, for this process too."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def age(folder: Path) -> None:
    """Let nothing have been made in `folder` for longer than a start takes to lock it."""
    long_ago = time.time() - leftovers.FRESH_S - 1
    os.utime(folder, (long_ago, long_ago))


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop_while_its_database_is_made_it_says_so_and_leaves_nothing(
    tmp_path: Path, kind: signal.Signals
) -> None:
    folder = tmp_path / "demo"
    with running(folder, "demo", "--json") as program:
        until(lambda: list(folder.glob(f"{leftovers.PREFIX}*/postgres/initdb-*/base")) != [])
        program.process.send_signal(kind)
        assert program.process.wait(COMMAND_WAIT_S) == 130
        assert program.said.rstrip().endswith("Stopped.")
        assert "Traceback" not in program.said
    assert nothing_left_in(folder)
    assert list(folder.iterdir()) == [folder / "said"]


def test_a_postgresql_that_outlived_its_demo_and_its_guard_ends_before_its_folder_goes(
    temporary: Path,
) -> None:
    folder = temporary / f"{leftovers.PREFIX}killed"
    place = folder / "postgres"
    with owning_program(place) as (program, orphan, _):
        os.kill(processes_of(place)[orphan], signal.SIGKILL)  # the guard
        assert leftovers.clear() == 0, "its owner lives"
        program.kill()
        program.wait()
        assert orphan in processes_of(place)
        assert leftovers.clear() == 1
        assert orphan not in processes_of(place)
    assert not folder.exists()
    assert nothing_left_in(folder)


def test_a_folder_without_an_owners_lock_is_cleared_once_nobody_can_be_starting_in_it(
    temporary: Path,
) -> None:
    left = temporary / f"{leftovers.PREFIX}torn"
    (left / "postgres" / "initdb-half").mkdir(parents=True)
    assert leftovers.clear() == 0
    assert left.exists()
    age(left)
    assert leftovers.clear() == 1
    assert not left.exists()


def test_a_demo_that_has_no_database_yet_or_anothers_keeps_its_folder_however_old(temporary: Path) -> None:
    with leftovers.own_folder() as folder:
        assert folder.parent == temporary
        age(folder)
        assert leftovers.clear() == 0
        assert folder.exists()
    assert not folder.exists()
