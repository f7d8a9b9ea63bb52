"""How tests post a credential, end it and have it forgotten, as a caller of VCALM does."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx2

from services.issuer.api.examples import STATUS_UPDATE
from services.issuer.settings import IssuerSettings
from shared.contracts.posted import PostedCredentialIssued
from shared.eventstore import Recorded
from shared.proofs.contexts import CREDENTIALS_V2
from tests.integration.issuer.conftest import Desk, client

NAME = "urn:uuid:11111111-2222-4333-8444-555555555555"
PERSON = "Zephyrine Quillfeather"


def credential(**changes: Any) -> dict[str, Any]:
    """A small credential about a person, with `changes`; None takes a member away."""
    whole: dict[str, Any] = {
        "@context": [CREDENTIALS_V2],
        "id": NAME,
        "type": ["VerifiableCredential"],
        "credentialSubject": {"id": "did:example:learner", "name": PERSON},
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


async def post(http: httpx2.AsyncClient, document: dict[str, Any], **options: Any) -> httpx2.Response:
    """Post a credential to be issued."""
    return await http.post("/issuer/credentials/issue", json={"credential": document, "options": options})


async def end(http: httpx2.AsyncClient, name: str, **changes: Any) -> httpx2.Response:
    """Ask for a revocation."""
    return await http.post(
        "/issuer/credentials/status", json={**STATUS_UPDATE, "credentialId": name, **changes}
    )


async def forget(http: httpx2.AsyncClient, name: str) -> httpx2.Response:
    """Ask that a posted credential be forgotten."""
    return await http.delete(f"/issuer/credentials/{quote(name, safe='')}")


async def unsigned(desk: Desk, **changes: Any) -> tuple[httpx2.Response, Recorded]:
    """Post to a desk beside which nobody signs; returns the answer and the intent."""
    only_desk = desk.settings.model_dump() | {"only": "desk", "signing_database_url": None, "issue_wait_s": 0}
    async with (
        desk.house(settings=IssuerSettings.model_validate(only_desk)) as house,
        client(house, await desk.api_key("oslo")) as http,
    ):
        answer = await post(http, credential(**changes))
    return answer, (await desk.log(PostedCredentialIssued))[-1]
