"""What a caller posts and the issuer signs verifies elsewhere, as it comes out of a running installation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from services.demo.provider import Provider
from services.demo.sample import issuer_settings, sample_issuer
from services.issuer.api.examples import POSTED
from services.receivers import Mailbox
from services.world import open_world
from shared.embedded import free_port
from tests.interop.conftest import Peer
from tests.new_world import copy_world
from tests.shapes import shapes

BOTH = {"CANONICAL_PROCESSES": "1", "CRYPTOSUITES": '["eddsa-rdfc-2022","eddsa-jcs-2022"]'}
VERIFIED = "verified"


def postable() -> dict[str, dict[str, Any]]:
    """The example of the API page, and every shape of credential, without what only an issuer adds."""
    found: dict[str, dict[str, Any]] = {"the example": POSTED["credential"]}
    for number, (name, document) in enumerate(shapes("did:example:issuer").items()):
        kept = {key: value for key, value in document.items() if key not in ("issuer", "credentialStatus")}
        found[name] = kept | {"id": f"urn:example:{number}"}
    return found


async def test_what_was_posted_verifies_at_digital_bazaars_and_altered_it_does_not(
    new_world: Path, tmp_path: Path, peer: Peer
) -> None:
    folder = copy_world(new_world, tmp_path / "world")
    async with (
        Mailbox(tmp_path / "mail") as mailbox,
        open_world(folder, free_port(), mailbox.settings() | BOTH, durable=False) as world,
    ):
        issuer = await sample_issuer(issuer_settings(world.folder), world.folder)
        async with Provider(world.address, issuer.token) as provider:
            await provider.until_known()
            for name, credential in postable().items():
                answer = await provider._send(
                    "POST", "/issuer/credentials/issue", json={"credential": credential}
                )
                document = answer.json()["verifiableCredential"]
                assert peer.ask("verify", credential=document) == VERIFIED, name
                altered = {**document, "validFrom": "2026-03-01T09:30:01Z"}
                assert peer.ask("verify", credential=altered) != VERIFIED, name
