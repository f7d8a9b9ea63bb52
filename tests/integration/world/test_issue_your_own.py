"""docs/how-to/issue-your-own.md, pasted into a shell beside a running world; and that nobody is told."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.world.conftest import PeopledWorld
from tests.integration.world.dumps import every_byte
from tests.integration.world.terminal import Terminal, blocks


async def test_the_page_leads_from_a_posted_credential_to_one_verified_revoked_and_forgotten(
    world: PeopledWorld, tmp_path: Path
) -> None:
    terminal = Terminal(tmp_path / "terminal", world)
    _, issue, verify, revoke, forget = blocks("issue-your-own.md")
    await terminal.paste(blocks("issue-your-own.md")[0])
    issued = await terminal.paste(issue)
    assert await terminal.paste(issue) == issued
    assert json.loads(await terminal.paste(verify)) == {"verified": True, "problemDetails": []}
    revoked = json.loads(await terminal.paste(revoke))
    entry = json.loads(issued)["verifiableCredential"]["credentialStatus"]
    assert (revoked["status"], revoked["credentialStatus"]) == (True, entry)
    await world.settled()
    refused = json.loads(await terminal.paste(verify))
    assert (refused["verified"], len(refused["problemDetails"])) == (False, 1)
    assert await terminal.paste(forget) == "202\n"
    assert "credential-forgotten" in await terminal.paste(issue)
    await world.settled()
    assert not world.mailbox.messages
    assert not world.partner.received
    dump = await every_byte(world.installation.cluster)
    for trace in (b"Ida Berg", b"Safe work", b"7c1b6f0e"):
        assert trace not in dump
