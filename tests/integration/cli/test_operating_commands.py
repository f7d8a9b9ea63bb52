"""The operator's commands on a world that is up: issuers, keys, dead letters, replays; help, wrong usage."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import typer
from typer.testing import CliRunner

from services import SERVICES
from services.cli.commands import app_of
from services.world import DATABASE
from services.world_folder import read_environment
from shared.access import Scope
from shared.clock import now
from shared.contracts.assessments import AssessmentPassed
from shared.contracts.registry import encode
from tests.integration.cli.conftest import Served, all_at_once, microcred

ANSWER_WAIT_S = 30
REFUSED_WAIT_S = 30
BURIED_WAIT_S = 30
POLL_EVERY_S = 0.1
ACADEMY = ("north-academy", "--name", "North Academy", "--url", "https://north.example.org")
ASKING = {
    "assessor": "/assessor/learners?reference=nobody",
    "issuer": "/issuer/credentials?assessment_id=nothing",
    "notifier": "/notifier/subscriptions",
}
"""One harmless question to each service that asks for a key."""
LATE = "late-academy"
STREAM = "assessment-astray"
KEY = f"{LATE}/{STREAM}"
INSERT = """
INSERT INTO assessor.event (issuer_id, stream, version, type, data, meta, id, at)
VALUES ($1, $2, $3, $4, $5, '{"actor": "operator:test", "correlation": "test"}', $6, now())
"""


def status(served: Served, path: str, token: str) -> int:
    """Ask with a key; returns the status of the answer."""
    asked = urllib.request.Request(  # noqa: S310 - loopback
        f"{served.address}{path}", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(asked, timeout=ANSWER_WAIT_S) as answer:  # noqa: S310 - loopback
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code


def known_everywhere(served: Served, token: str, known: bool) -> bool:
    """Wait until every service takes a key, or refuses it; False if one has not within REFUSED_WAIT_S."""
    deadline = time.monotonic() + REFUSED_WAIT_S
    while any((status(served, path, token) != 401) is not known for path in ASKING.values()):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_EVERY_S)
    return True


def test_an_operator_recognises_issuers_and_hands_the_list_on(served: Served, tmp_path: Path) -> None:
    did = "did:web:north.example"
    added = served.run("recognised-issuers", "add", did, "--name", "North College", "--since", "2026-01-01")
    assert (added.returncode, added.stdout) == (0, f"{did} is recognised as North College.\n")
    listed = served.run("recognised-issuers", "list").stdout
    assert "2026-01-01" in listed
    exported = served.run("recognised-issuers", "export").stdout
    operator = json.loads(exported)["issuer"]["id"]
    assert served.run("recognised-issuers", "remove", did).returncode == 0
    assert served.run("recognised-issuers", "remove", did).returncode == 1
    (tmp_path / "list.json").write_text(exported)
    file = str(tmp_path / "list.json")
    foreign = served.run("recognised-issuers", "import", file, "--operator", did)
    assert (foreign.returncode, "another operator" in foreign.stderr) == (1, True)
    imported = served.run("recognised-issuers", "import", file, "--operator", operator)
    assert (imported.returncode, imported.stdout.endswith(": 1.\n")) == (0, True)
    assert served.run("recognised-issuers", "forget", operator).returncode == 0
    assert served.run("recognised-issuers", "export").returncode == 1


def test_a_key_works_everywhere_until_it_is_revoked(served: Served) -> None:
    created = served.run("issuers", "create", *ACADEMY)
    assert (created.returncode, created.stdout.split(",")[0]) == (0, "Created north-academy")
    again = served.run("issuers", "create", *ACADEMY)
    assert again.stdout.startswith("Already there: north-academy")
    assert "north-academy" in served.run("issuers", "list").stdout
    scopes = [word for scope in Scope for word in ("--scope", scope.value)]
    made = served.run("keys", "create", "north-academy", *scopes, "--label", "platform")
    token = made.stdout.strip()
    prefix = token.split("_")[1]
    assert known_everywhere(served, token, True)
    listed = served.run("keys", "list", "north-academy").stdout
    assert prefix in listed
    assert "platform" in listed
    assert token not in listed + made.stderr
    revoked = served.run("keys", "revoke", "north-academy", prefix)
    assert revoked.returncode == 0
    assert known_everywhere(served, token, False)


@pytest.mark.parametrize("columns", ["80", "60", "40"])
def test_prefixes_and_scopes_are_read_off_in_a_terminal_of_any_width(served: Served, columns: str) -> None:
    scopes = [word for scope in Scope for word in ("--scope", scope.value)]
    label = "learning platform of the faculty of arts [draft]"
    made = served.run("keys", "create", "riverside-college", *scopes, "--label", label)
    prefix = made.stdout.split("_")[1]
    assert served.run("keys", "revoke", "riverside-college", prefix).returncode == 0
    lines = served.run("keys", "list", "riverside-college", COLUMNS=columns).stdout.splitlines()
    (first,) = [number for number, line in enumerate(lines) if line.startswith(f"{prefix}  ")]
    of_this_key = [line[len(prefix) :].split() for line in lines[first : first + len(Scope)]]
    assert [words[0] for words in of_this_key] == sorted(Scope)
    assert [words[1] for words in of_this_key[:3]] == ["created", "expires", "revoked"]
    assert any("[draft]" in line for line in lines), "a label is data and ends where it ends"


def test_what_cannot_be_done_is_told_in_a_sentence(served: Served, tmp_path: Path) -> None:
    refusals = all_at_once(
        ("issuers", "create", "No Slug!", *ACADEMY[1:], "--data", str(served.data)),
        ("keys", "create", "nobody", "--scope", "credentials:read", "--data", str(served.data)),
        ("keys", "list", "nobody", "--data", str(served.data)),
        ("keys", "revoke", "riverside-college", "aaaaaaaa", "--data", str(served.data)),
        ("dead-letters", "requeue", "issuer.issue", "no/such", "--data", str(served.data)),
        ("dead-letters", "show", "issuer.issue", "no/such", "--data", str(served.data)),
        ("issuers", "list", "--data", str(tmp_path)),
    )
    for refused in refusals:
        assert refused.returncode == 1, refused.args
        assert refused.stderr.strip().endswith((".", "'make serve'.")), refused.stderr
        assert "Traceback" not in refused.stderr
        assert refused.stdout == ""


@pytest.fixture
def log_superuser(served: Served) -> str:
    """The address of the world's superuser, who alone may write into another's log."""
    folder = served.data / "postgres"
    password, port = (folder / "password").read_text().strip(), (folder / "port").read_text().strip()
    return f"postgresql://postgres:{password}@127.0.0.1:{port}/{DATABASE}"


async def test_a_buried_record_is_listed_shown_mended_and_requeued(
    served: Served, log_superuser: str
) -> None:
    """An assessment of an issuer that does not exist, and a second fact behind it."""
    passed = AssessmentPassed(
        assessment_id="astray",
        learner_id=str(uuid4()),
        achievement_id=str(uuid4()),
        achievement_version=1,
        assessed_at=now(),
        sealed="",
    )
    connection = await asyncpg.connect(log_superuser)
    try:
        for version in (1, 2):
            await connection.execute(INSERT, LATE, STREAM, version, passed.TYPE, encode(passed), uuid4())
    finally:
        await connection.close()
    listed = until(served, lambda text: text.count(KEY) == 2)
    assert "issuer.issue" in listed
    shown = served.run("dead-letters", "show", "issuer.issue", KEY)
    first, second = documents(shown.stdout)
    assert first["offset"] < second["offset"]
    assert first["state"] == "buried"
    assert first["issuer_id"] == second["issuer_id"] == LATE
    assert "does not exist" in str(first["error"])
    assert json.loads(str(first["value"]))["assessment_id"] == "astray"
    created = served.run("issuers", "create", LATE, *ACADEMY[1:])
    assert created.returncode == 0
    asked = served.run("dead-letters", "requeue", "issuer.issue", KEY)
    assert asked.stdout.startswith("2 record(s)")
    until(served, lambda text: text.strip() == "No dead letters.")


def until(served: Served, good: Callable[[str], bool]) -> str:
    """List dead letters until `good` says so; returns the list."""
    deadline = time.monotonic() + BURIED_WAIT_S
    while True:
        text = served.run("dead-letters", "list").stdout
        if good(text):
            return text
        assert time.monotonic() < deadline, text


def documents(text: str) -> list[dict[str, object]]:
    """Return the JSON documents of an output, one after the other."""
    decoder, found = json.JSONDecoder(), []
    while text := text.strip():
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:]
    return found


def test_every_service_is_replayed_beside_the_world_at_work(served: Served) -> None:
    for service in SERVICES:
        replayed = served.run("replay", service)
        assert replayed.returncode == 0, replayed.stderr
        assert replayed.stdout.startswith(f"{service}: ")
    assert "riverside-college" in served.run("issuers", "list").stdout
    token = (served.data / "development-key").read_text().strip()
    assert known_everywhere(served, token, True)


def test_settings_are_listed_with_their_meaning(served: Served) -> None:
    listed = microcred("settings").stdout
    known = read_environment(served.data).keys() - {"SMTP_PORT"}
    assert {name for name in known if name not in listed} == set()


def commands(group: typer.core.TyperGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Return every command of the program, groups included."""
    yield path
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


def test_every_command_teaches_itself() -> None:
    app = app_of(())
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    found = list(commands(group))
    assert len(found) > 12
    for path in found:
        answer = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200"})
        assert answer.exit_code == 0, path
        assert "Usage:" in answer.output
        assert "--help" in answer.output


def test_wrong_usage_is_never_taken_for_a_verdict(tmp_path: Path) -> None:
    for misused in all_at_once(
        ("no-such-command",),
        ("verify",),
        ("verify", str(tmp_path / "missing.json")),
        ("demo", "--cohort", str(tmp_path / "missing.csv")),
        ("keys", "create", "north-academy", "--scope", "everything"),
        ("serve", "--port", "zero"),
        ("replay", "nobody"),
    ):
        assert misused.returncode == 64, misused.args
        assert misused.stderr.strip()
        assert "Traceback" not in misused.stderr


def test_a_consumer_of_no_service_is_told_so_by_every_command_that_names_one() -> None:
    named = ("nobody.nothing", "no/such")
    for misused in all_at_once(("dead-letters", "show", *named), ("dead-letters", "requeue", *named)):
        assert misused.returncode == 64, misused.args
        assert "begins with its service: one of assessor," in misused.stderr


@pytest.mark.parametrize(("days", "told"), [("1", "good for 1 day,"), ("2", "good for 2 days,")])
def test_how_long_a_key_is_good_is_told_in_words_that_agree(served: Served, days: str, told: str) -> None:
    made = served.run("keys", "create", "riverside-college", "--scope", "credentials:read", "--days", days)
    assert told in made.stderr


def test_signing_keys_are_listed_and_a_did_key_says_why_it_keeps_its_own(served: Served) -> None:
    listed = served.run("signing-keys", "list", "riverside-college")
    assert listed.returncode == 0
    assert [word in listed.stdout for word in ("z6Mk", "envelope", "signs now")] == [True] * 3
    refused = served.run("signing-keys", "rotate", "riverside-college", "--at-once")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "its one key is its name" in refused.stderr
    unknown = served.run("signing-keys", "list", "nobody")
    assert (unknown.returncode, unknown.stderr) == (1, "There is no such issuer.\n")
    misused = served.run("signing-keys", "retire", "riverside-college", "z6Mk", "--since", "2026-06-01")
    assert misused.returncode == 64
    assert "--reason compromised" in misused.stderr
