"""docs/how-to/first-issuer.md, pasted block after block into a shell beside a running world."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.world.conftest import PeopledWorld
from tests.integration.world.terminal import Terminal, blocks


async def test_the_page_leads_from_nothing_to_a_credential_verified_revoked_and_forgotten(
    world: PeopledWorld, tmp_path: Path
) -> None:
    terminal = Terminal(tmp_path / "terminal", world)
    said = [await terminal.paste(block) for block in blocks("first-issuer.md")]
    created, _, achievement, assessment, cohort, verified, offline, revoked, again, _, erased, gone = said

    assert "north-academy" in created
    assert json.loads(achievement)["version"] == 1
    assert json.loads(assessment)["outcome"] == "passed"
    assert {json.loads(line)["outcome"] for line in cohort.splitlines()} == {"passed", "failed"}
    credential, verdict = _documents(verified)
    assert credential["credentials"][0]["state"] == "signed"
    assert verdict["verdict"] == "valid"
    assert "VALID" in offline
    assert json.loads(revoked)["revocation_reason"] == "issued-in-error"
    assert json.loads(again)["verdict"] == "invalid"
    assert erased == ""
    assert gone == "410\n"


def _documents(text: str) -> tuple[dict[str, object], ...]:
    """The JSON documents in a block's output, one after the other."""
    decoder, found = json.JSONDecoder(), []
    while text := text.strip():
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:]
    return tuple(found)
