"""docs/how-to/rotate-a-key.md, pasted block after block: credentials of every key stay valid on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from services.demo.sample import SLUG
from tests.integration.world.conftest import PeopledWorld
from tests.integration.world.terminal import Terminal, blocks

DID = f"did:web:credentials.example.edu:issuers:{SLUG}"


@pytest.fixture
def bus_settings() -> dict[str, str]:
    """The world under https, as only its addresses know, with keys that wait for nothing."""
    return {"PUBLIC_URL": "https://credentials.example.edu", "KEY_OVERLAP_S": "0"}


async def issued(world: PeopledWorld) -> dict[str, Any]:
    """Return a new credential as its learner has it."""
    told = await world.passed()
    async with httpx2.AsyncClient(base_url=world.installation.address) as client:
        document: dict[str, Any] = (await client.get(f"/credentials/{told['credential_id']}")).json()
    return document


async def verdict(world: PeopledWorld, credential: dict[str, Any]) -> str:
    """Return the verdict of the world's verifier."""
    async with httpx2.AsyncClient(base_url=world.installation.address) as client:
        answer = await client.post("/verifier/verify", content=json.dumps(credential))
    return str(answer.json()["verdict"])


def method(credential: dict[str, Any]) -> str:
    """Return the id of the key that a credential bears."""
    (proof,) = credential["proof"]
    return str(proof["verificationMethod"])


async def test_the_page_leads_from_one_key_to_the_next_and_past_a_lost_one(
    world: PeopledWorld, tmp_path: Path
) -> None:
    terminal = Terminal(tmp_path / "terminal", world, SLUG=SLUG)
    seen, rotated, later, retired, lost = blocks("rotate-a-key.md")
    first = await issued(world)
    old = method(first)
    assert "signs now" in await terminal.paste(seen)

    published = (await terminal.paste(rotated)).partition("\n")[2]
    asserted = json.loads(published)["assertionMethod"]
    assert asserted[0] == old
    second = await issued(world)
    assert (method(second), len(asserted)) == (asserted[1], 2)
    assert "signed before" in await terminal.paste(later)
    assert "superseded since" in await terminal.paste(retired)
    assert [await verdict(world, each) for each in (first, second)] == ["valid", "valid"]

    said = await terminal.paste(lost)
    third = await issued(world)
    assert f"{asserted[1].partition('#')[2]} of {SLUG}: compromised since" in said
    assert method(third).startswith(f"{DID}#")
    assert method(third) not in asserted
    assert [await verdict(world, each) for each in (first, second, third)] == ["valid"] * 3
