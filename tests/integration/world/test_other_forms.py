"""docs/how-to/sign-in-other-forms.md, pasted block after block: a credential in each form, and new keys.

What each form names leads somewhere: here the issuer is a did:web, and PUBLIC_URL is not where it listens.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from services.demo.sample import SLUG
from shared.proofs import base64url
from tests.integration.world.conftest import PeopledWorld
from tests.integration.world.signed_addresses import Walk
from tests.integration.world.terminal import Terminal, blocks

PUBLIC = "https://credentials.example.edu"
TOKENS = ("application/vc+jwt", "application/jwt")


@pytest.fixture
def bus_settings() -> dict[str, str]:
    """The world under https, as only its addresses know, with every kind of key and none that waits."""
    return {
        "PUBLIC_URL": PUBLIC,
        "KEY_OVERLAP_S": "0",
        "CRYPTOSUITES": '["eddsa-rdfc-2022", "ecdsa-rdfc-2019"]',
        "TOKENS": '["vc+jwt/ES256", "ob-jwt/RS256"]',
    }


async def verdict(world: PeopledWorld, content: bytes) -> str:
    """Return the verdict of the world's verifier."""
    async with httpx2.AsyncClient(base_url=world.installation.address) as client:
        answer = await client.post("/verifier/verify", content=content)
    return str(answer.json()["verdict"])


def claims(token: str) -> list[Any]:
    """The header and the payload of a token."""
    return [json.loads(base64url.decode(part)) for part in token.split(".")[:2]]


async def test_the_page_leads_to_a_credential_in_each_form_and_to_new_keys(
    world: PeopledWorld, tmp_path: Path
) -> None:
    seen, fetched, rotated = blocks("sign-in-other-forms.md")
    told = await world.passed()
    address = f"{world.installation.address}/credentials/{told['credential_id']}"
    terminal = Terminal(tmp_path / "terminal", world, SLUG=SLUG, CREDENTIAL=address)
    listed, _, published = (await terminal.paste(seen)).rpartition("\n{")
    assert listed.count("signs now") == 3
    methods = json.loads("{" + published)["verificationMethod"]
    assert sorted(method["type"] for method in methods) == ["JsonWebKey", "Multikey", "Multikey"]
    await terminal.paste(fetched)
    files = [tmp_path / "terminal" / name for name in ("credential.vc.jwt", "badge.jwt")]
    tokens = [file.read_bytes() for file in files]
    async with httpx2.AsyncClient() as client:
        document = (await client.get(address)).content
    assert [await verdict(world, each) for each in (document, *tokens)] == ["valid"] * 3
    assert (await terminal.paste(rotated)).count(f"of {SLUG}. It signs from") == 2
    assert [await verdict(world, each) for each in (document, *tokens)] == ["valid"] * 3


async def test_the_addresses_in_every_form_resolve(world: PeopledWorld) -> None:
    told = await world.passed()
    path = f"/credentials/{told['credential_id']}"
    async with httpx2.AsyncClient(base_url=world.installation.address) as client:
        document = (await client.get(path)).json()
        tokens = [(await client.get(path, headers={"Accept": form})).text for form in TOKENS]
    assert len(document["proof"]) == 2
    walk = Walk(world, PUBLIC, document["issuer"]["id"])
    await walk.follow([document, *(claims(token) for token in tokens)])
    assert walk.faults == []
    profile = f"{PUBLIC}/issuers/{SLUG}"
    achievement = f"{PUBLIC}/achievements/{world.achievement_id}/1"
    status = document["credentialStatus"]["statusListCredential"]
    assert set(walk.pages) == {f"{PUBLIC}{path}", achievement, profile, f"{profile}/did.json", status}
