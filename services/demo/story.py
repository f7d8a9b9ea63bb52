"""Tells the main job on a terminal: progress bars, then one learner's story, document by document."""

from __future__ import annotations

import email
import email.policy
import json
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.json import JSON
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from services.demo.job import Story
from services.demo.report import Report
from services.verifier.panel import MARKS, verdict_panel

REFUSED_ROWS_SHOWN = 10
PROOF_CHARACTERS_SHOWN = 24
ISSUER_SHOWN = ("id", "name")
ACHIEVEMENT_SHOWN = ("id", "type", "name", "creditsAvailable")
STEPS = {
    "assessed": "Assessing against the rubric",
    "signed": "Issuing and signing",
    "announced": "Telling learners and partner",
}


class Bars:
    """One progress bar for each step, made when the step first reports."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<30}"),
            BarColumn(bar_width=40),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, step: str, done: int, of_all: int) -> None:
        """Move the bar of `step`."""
        if step not in self._tasks:
            self._tasks[step] = self._progress.add_task(STEPS[step], total=of_all)
        self._progress.update(self._tasks[step], completed=done, total=of_all)


def refused_rows(console: Console, story: Story) -> None:
    """List the rows that were reported and skipped."""
    if not story.refused_rows:
        return
    console.print("\nRows that were refused, each with its line and the reason:")
    for row in story.refused_rows[:REFUSED_ROWS_SHOWN]:
        problem = row.get("problem") or {}
        reasons = "; ".join(problem.get("reasons", []))
        told = reasons or str(problem.get("title", ""))
        console.print(f"  line {row['line']:>4}  {told}", markup=False)


def tell(console: Console, story: Story, folder: Path | None) -> None:
    """Print the story of one learner; `folder` is where its documents will be left."""
    credential = story.credential
    console.rule("[bold]The story of one learner")
    console.print(
        f"Assessment {story.assessment_id} passed. The credential, as anybody with its link reads it:"
    )
    console.print(f"[bold]{story.credential_url}[/]\n")
    console.print(JSON(json.dumps(_shortened(credential), ensure_ascii=False)), soft_wrap=True)
    whole = "--out DIR leaves the whole document" if folder is None else f"whole: {folder}/credential.json"
    console.print(f"(… marks what is cut here; {whole}.)", style="dim", markup=False, soft_wrap=True)
    console.print(verdict_panel("Verification, check by check", story.verdict_before))
    _mail(console, story.documents.mail)
    _webhook(console, story)


def tell_revocation(console: Console, story: Story, report: Report) -> None:
    """Print what the revocation changed."""
    status = story.credential["credentialStatus"]
    before, after = (
        json.loads(content)["credentialSubject"]["encodedList"]
        for content in (story.documents.status_list_before, story.documents.status_list_after)
    )
    console.rule("[bold]The revocation")
    table = Table.grid(padding=(0, 2))
    table.add_row("status list", status["statusListCredential"])
    table.add_row("bit", f"{status['statusListIndex']} of 131,072")
    table.add_row("list before", f"{before[:48]}… ({len(before)} characters)")
    table.add_row("list after", f"{after[:48]}… ({len(after)} characters)")
    table.add_row(
        "revocation lag", f"[bold]{report.revocation_lag_ms} ms[/] from the request to the public list"
    )
    console.print(table)
    console.print(verdict_panel("The same credential, verified again", story.verdict_after))


def summary(console: Console, report: Report, story: Story, folder: Path | None) -> None:
    """Print the numbers."""
    console.rule("[bold]In numbers")
    table = Table.grid(padding=(0, 2))
    rows = f"{report.rejected_rows} refused by line, {report.duplicates} duplicates"
    table.add_row("assessments taken", f"{report.submitted} ({rows})")
    table.add_row("passed / failed", f"{report.passed} / {report.failed}")
    table.add_row("credentials issued / signed", f"{report.issued} / {report.signed}")
    if report.signed:
        speed = f"{report.signed / story.issuing_seconds:.0f} a second"
        table.add_row("from first row to last signature", f"{story.issuing_seconds:.1f} s, {speed}")
    table.add_row("announced by mail and webhook", str(report.announced))
    verdicts = f"{report.verified_before} before, {report.verified_after} after the revocation"
    table.add_row("the one learner's credential", verdicts)
    table.add_row("revocation lag", f"{report.revocation_lag_ms} ms")
    table.add_row("whole demo", f"{report.seconds:.1f} s on the {report.bus} bus")
    console.print(table)
    if folder is not None:
        console.print(f"\nThe documents are in {folder}/. Check the credential against each list yourself:")
        for when in ("before", "after"):
            command = (
                f"microcred verify {folder}/credential.json --status-list {folder}/status-list-{when}.json"
            )
            console.print(f"  .venv/bin/{command}", soft_wrap=True)


def _mail(console: Console, content: bytes) -> None:
    message = email.message_from_bytes(content, policy=email.policy.default)
    body = message.get_body(("plain",))
    text = body.get_content().strip() if body is not None else ""
    headers = "\n".join(f"{name}: {message[name]}" for name in ("From", "To", "Subject", "Message-ID"))
    console.print(Panel(Text(f"{headers}\n\n{text}"), title="The e-mail that went out", title_align="left"))


def _webhook(console: Console, story: Story) -> None:
    webhook = story.documents.webhook
    shown = {name: value for name, value in webhook["headers"].items() if name.startswith("webhook-")}
    text = "\n".join(f"{name}: {value}" for name, value in shown.items())
    body = json.dumps(json.loads(webhook["body"]), indent=2, ensure_ascii=False)
    checks = Table.grid(padding=(0, 2))
    altered = "believed, as it must not be" if story.altered_webhook_believed else "refused, as it must be"
    for passed, told in (
        (story.webhook_believed, "webhook-signature is the HMAC of id, timestamp and body under its secret"),
        (not story.altered_webhook_believed, f"{altered}: the same with one byte more in the body"),
    ):
        checks.add_row(MARKS["passed" if passed else "failed"], told)
    parts = Group(Text(f"{text}\n\n{body}\n\nChecked by the partner who got it:"), checks)
    console.print(Panel(parts, title="The signed webhook that went out", title_align="left"))


def _shortened(credential: dict[str, Any]) -> dict[str, Any]:
    """Return the credential for reading only: one of each list, and of the long parts what names them."""
    subject = credential["credentialSubject"]
    shown = {
        "issuer": _only(credential["issuer"], ISSUER_SHOWN),
        "credentialSubject": {
            "type": subject["type"],
            "identifier": _first(subject.get("identifier", [])),
            "achievement": _only(subject["achievement"], ACHIEVEMENT_SHOWN),
            "result": _first(subject.get("result", [])),
        },
        "evidence": _first(credential.get("evidence", [])),
        "proof": [
            proof | {"proofValue": f"{proof['proofValue'][:PROOF_CHARACTERS_SHOWN]}…"}
            for proof in credential.get("proof", [])
        ],
    }
    return credential | shown


def _only(part: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    kept = {name: value for name, value in part.items() if name in names}
    return kept | {"…": f"{len(part) - len(kept)} more members"}


def _first(parts: list[Any]) -> list[Any]:
    return parts if len(parts) < 2 else [parts[0], f"… {len(parts) - 1} more"]
