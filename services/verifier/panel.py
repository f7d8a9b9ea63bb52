"""A verdict as people read it on a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

MARKS = {"passed": "[green]✓[/]", "failed": "[red]✗[/]", "unknown": "[yellow]?[/]", "skipped": "[dim]–[/]"}
COLOURS = {"valid": "green", "invalid": "red", "unknown": "yellow"}


def verdict_panel(title: str, verdict: dict[str, Any]) -> Panel:
    """Return the verdict and its sentence over one line for each check; `verdict` is as answers.py has it."""
    table = Table.grid(padding=(0, 2))
    for check in verdict["checks"]:
        table.add_row(MARKS[check["outcome"]], check["name"], check["sentence"])
    colour = COLOURS[verdict["verdict"]]
    answer = Text.from_markup(f"[bold {colour}]{verdict['verdict'].upper()}[/]  ")
    answer.append(verdict["sentence"])
    return Panel(Group(answer, Text(""), table), title=title, title_align="left")
