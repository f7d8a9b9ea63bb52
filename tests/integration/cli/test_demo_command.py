"""`microcred demo`: its numbers, the documents that it leaves, and that it leaves nothing else."""

from __future__ import annotations

import email
import email.policy
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.program import EXIT_STUCK
from shared.proofs import bitstring
from tests.integration.cli.conftest import (
    COHORT,
    COMMAND_WAIT_S,
    Cohort,
    Program,
    all_at_once,
    environment,
    microcred,
    running,
)

KEYS = [
    "submitted",
    "rejected_rows",
    "duplicates",
    "passed",
    "failed",
    "issued",
    "signed",
    "announced",
    "verified_before",
    "verified_after",
    "revocation_lag_ms",
    "bus",
    "seconds",
]
FILES = {
    "credential.json",
    "status-list-before.json",
    "status-list-after.json",
    "did.json",
    "webhook.json",
    "webhook-revoked.json",
    "mail.eml",
}


@dataclass(frozen=True)
class Demo:
    """One finished demo: its JSON line and its folder."""

    report: dict[str, Any]
    said: str
    out: Path

    def document(self, name: str) -> dict[str, Any]:
        """Return one of its JSON documents."""
        document: dict[str, Any] = json.loads((self.out / name).read_bytes())
        return document


@pytest.fixture(scope="module")
def demos(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> list[Demo]:
    """Two demos at once."""
    folders = [tmp_path_factory.mktemp("demo") / "out" for _ in range(2)]
    finished = all_at_once(
        *(("demo", "--json", "--cohort", str(cohort.path), "--out", str(folder)) for folder in folders)
    )
    made = []
    for ended, folder in zip(finished, folders, strict=True):
        assert ended.returncode == 0, ended.stderr
        (line,) = ended.stdout.splitlines()
        made.append(Demo(json.loads(line), ended.stderr, folder))
    return made


@pytest.fixture
def demo(demos: list[Demo]) -> Demo:
    return demos[0]


def test_two_demos_at_once_each_end_with_one_line_of_numbers_that_agree(
    demos: list[Demo], cohort: Cohort
) -> None:
    for demo in demos:
        report = demo.report
        assert list(report) == KEYS
        assert (report["passed"], report["failed"]) == (cohort.passed, cohort.failed)
        assert report["submitted"] == cohort.passed + cohort.failed
        assert (report["rejected_rows"], report["duplicates"]) == (cohort.refused, cohort.repeated)
        assert report["issued"] == report["signed"] == report["announced"] == cohort.passed
        assert (report["verified_before"], report["verified_after"]) == ("valid", "invalid")
        assert report["bus"] == "local"
        assert report["revocation_lag_ms"] > 0
        assert report["seconds"] > 0


def test_the_story_is_told_beside_the_numbers(demo: Demo, cohort: Cohort) -> None:
    assert len(re.findall(r"^  line +\d+  ", demo.said, re.MULTILINE)) == cohort.refused
    for heading in (
        "The story of one learner",
        "The e-mail that went out",
        "The signed webhook that went out",
    ):
        assert heading in demo.said
    assert "✓  webhook-signature is the HMAC" in demo.said
    assert "✓  refused, as it must be: the same with one byte more in the body" in demo.said
    assert demo.said.index("VALID  ") < demo.said.index("The revocation") < demo.said.index("INVALID  ")


def test_the_documents_left_verify_with_the_command_and_nothing_else(demo: Demo) -> None:
    assert {path.name for path in demo.out.iterdir()} == FILES
    credential = str(demo.out / "credential.json")
    before, after = (str(demo.out / f"status-list-{when}.json") for when in ("before", "after"))
    did = str(demo.out / "did.json")
    good, withdrawn, unlisted, as_json = all_at_once(
        ("verify", credential, "--status-list", before),
        ("verify", credential, "--status-list", after),
        ("verify", credential),
        ("verify", credential, "--json", "--status-list", before, "--did-document", did),
    )
    assert [each.returncode for each in (good, withdrawn, unlisted)] == [0, 1, 2]
    assert "VALID" in good.stdout
    assert "INVALID" in withdrawn.stdout
    assert "UNKNOWN" in unlisted.stdout
    verdict = json.loads(as_json.stdout)
    assert (as_json.returncode, verdict["verdict"]) == (0, "valid")
    altered = demo.document("credential.json")
    altered["credentialSubject"]["achievement"]["name"] = "Something Grander"
    forged = microcred("verify", "-", "--status-list", before, given=json.dumps(altered))
    assert forged.returncode == 1


def test_the_documents_left_belong_together(demo: Demo) -> None:
    credential, did = demo.document("credential.json"), demo.document("did.json")
    assert did["id"] == credential["issuer"]["id"]
    for proof in credential["proof"]:
        assert proof["verificationMethod"] in did["assertionMethod"]
    status = credential["credentialStatus"]
    bits = []
    for when in ("before", "after"):
        listed = demo.document(f"status-list-{when}.json")
        assert listed["id"] == status["statusListCredential"]
        bits.append(bitstring.decode(listed["credentialSubject"]["encodedList"]))
    index = int(status["statusListIndex"])
    assert [each.get(index) for each in bits] == [False, True]


@pytest.mark.parametrize(
    ("file", "kind"),
    [("webhook.json", "credential.signed"), ("webhook-revoked.json", "credential.revoked")],
)
def test_the_webhooks_left_are_as_they_were_sent(demo: Demo, file: str, kind: str) -> None:
    webhook, credential = demo.document(file), demo.document("credential.json")
    headers, body = webhook["headers"], webhook["body"]
    assert re.fullmatch(r"v1,[A-Za-z0-9+/]{43}=", headers["webhook-signature"])
    assert headers["webhook-timestamp"].isdecimal()
    assert int(headers["content-length"]) == len(body.encode())
    said = json.loads(body)
    assert said["type"] == kind
    assert said["id"] == headers["webhook-id"]
    assert said["data"]["credential_url"] == credential["id"]


def test_the_story_shows_the_partners_check_and_cuts_what_a_file_holds_whole(demo: Demo) -> None:
    checked = demo.said.partition("Checked by the partner who got it:")[2].splitlines()
    assert [line.split()[1] for line in checked[1:3]] == ["✓", "✓"]
    assert "refused, as it must be" in checked[2]
    shown = demo.said.partition("as anybody with its link reads it:")[2].partition("Verification")[0]
    assert f"{demo.out}/credential.json" in shown
    whole = json.dumps(demo.document("credential.json"), indent=2)
    assert len(shown.splitlines()) < len(whole.splitlines()) / 2
    measured = re.search(r"from first row to last signature +([0-9.]+) s, ([0-9]+) a second", demo.said)
    assert measured is not None
    assert 0 < float(measured[1]) < demo.report["seconds"]


def test_the_mail_left_is_one_that_a_mail_program_reads(demo: Demo, cohort: Cohort) -> None:
    message = email.message_from_bytes((demo.out / "mail.eml").read_bytes(), policy=email.policy.default)
    address = demo.document("credential.json")["id"]
    assert not message.defects
    assert message["To"].addresses[0].addr_spec in cohort.emails
    assert message["Message-ID"]
    for kind in ("plain", "html"):
        body = message.get_body((kind,))
        assert body is not None
        assert address in body.get_content()


def test_a_cohort_that_another_program_wrote_is_refused_with_what_to_do(tmp_path: Path) -> None:
    text = COHORT.read_text("utf-8")
    separated, wide = tmp_path / "separated.csv", tmp_path / "wide.csv"
    separated.write_text(text.replace(",", ";"), "utf-8")
    wide.write_text(text, "utf-16")
    of_separated, of_wide = all_at_once(*(("demo", "--cohort", str(path)) for path in (separated, wide)))
    for refused, told in ((of_separated, "export the file with commas"), (of_wide, "save it as UTF-8")):
        assert refused.returncode == 1
        assert told in refused.stderr
        assert "Traceback" not in refused.stderr + refused.stdout


STANDS_STILL = """
import asyncio
from services.cli import main
from services.issuer.handlers.sign import Sign
from shared.bus.consumer import Consumer

async def hang(self, batch):
    await asyncio.Event().wait()

Sign.prepare = hang
Consumer.stuck = lambda self: self.name == "issuer.sign"
main()
"""


def test_a_lane_that_stands_still_ends_it_with_a_sentence(cohort: Cohort, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", STANDS_STILL, "demo", "--cohort", str(cohort.path)],
        capture_output=True,
        text=True,
        timeout=COMMAND_WAIT_S,
        env=environment(TMPDIR=str(tmp_path)),
        check=False,
    )
    assert ended.returncode == EXIT_STUCK
    assert "Cannot go on, and ends here. issuer.sign: It has work and did not get on" in ended.stderr
    assert "a demo begins anew" in ended.stderr
    assert '{"' not in ended.stderr, "a sentence, and not a line of JSON"


@contextmanager
def under_way(folder: Path) -> Iterator[Program]:
    """Run a demo of all 1,000 learners, its temporary files in `folder`, up to the middle of its work."""
    with running(folder, "demo", "--json", "--cohort", str(COHORT)) as program:
        program.says("Listening on")
        yield program


def test_killed_or_interrupted_it_leaves_no_process_and_the_next_one_clears_its_files(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "demo"
    with under_way(folder) as killed:
        assert killed.end(signal.SIGKILL) == -signal.SIGKILL
    left = set(folder.iterdir()) - {folder / "said"}
    assert left, "a kill leaves files: nobody is there to remove them"
    with under_way(folder) as interrupted:
        assert not left & set(folder.iterdir())
        assert interrupted.end(signal.SIGINT) == 130
        assert interrupted.said.rstrip().endswith("Stopped.")
    assert list(folder.iterdir()) == [folder / "said"]
