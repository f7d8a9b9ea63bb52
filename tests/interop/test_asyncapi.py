"""The published AsyncAPI document is one to the initiative's own parser, and names every topic and type."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.registry import PUBLISHED
from shared.contracts.topics import TOPICS

pytestmark = pytest.mark.node

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "docs" / "asyncapi.json"
PARSE_WAIT_S = 60


@pytest.fixture
def parse(packages: Path) -> Any:
    """What the parser says of a document."""

    def parsed(document: Path) -> dict[str, list[str]]:
        said = subprocess.run(
            ["node", "asyncapi.mjs", str(document)],
            cwd=packages.parent,
            check=True,
            capture_output=True,
            timeout=PARSE_WAIT_S,
        )
        answer: dict[str, list[str]] = json.loads(said.stdout)
        return answer

    return parsed


def test_the_parser_finds_no_fault_in_the_document(parse: Any) -> None:
    said = parse(DOCUMENT)
    assert said["errors"] == said["warnings"] == []
    assert said["channels"] == [topic.name for topic in TOPICS]
    assert said["messages"] == [event.TYPE for event in PUBLISHED]


def test_the_parser_would_find_a_fault(parse: Any, tmp_path: Path) -> None:
    document = json.loads(DOCUMENT.read_text("utf-8"))
    del document["components"]["messages"]["credential.issued.v1"]
    (tmp_path / "asyncapi.json").write_text(json.dumps(document))
    assert parse(tmp_path / "asyncapi.json")["errors"]
