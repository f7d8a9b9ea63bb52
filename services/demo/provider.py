"""A provider's learning platform, as far as it talks to microcred: HTTP with an API key, nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2

from shared.errors import Rejected, Unavailable
from shared.loopback import loopback_client

REQUEST_WAIT_S = 30.0
BULK_WAIT_S = 600.0
KNOWN_WAIT_S = 10.0
RETRY_AFTER_S_MAX = 5.0
POLL_EVERY_S = 0.02
GUARDED_PATHS = (
    "/assessor/learners?reference=-",
    "/issuer/credentials?assessment_id=-",
    "/notifier/subscriptions",
)


class Provider:
    """Speaks for one issuer with one API key."""

    def __init__(self, address: str, token: str) -> None:
        self._http = loopback_client(
            base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=REQUEST_WAIT_S
        )

    async def __aenter__(self) -> Provider:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def until_known(self) -> None:
        """Wait until every service knows the API key, which travels to them as an event like any other.

        Raises Unavailable after KNOWN_WAIT_S.
        """
        deadline = asyncio.get_running_loop().time() + KNOWN_WAIT_S
        for path in GUARDED_PATHS:
            while (await self._http.get(path)).status_code == 401:
                if asyncio.get_running_loop().time() > deadline:
                    raise Unavailable("The API key did not become known.")
                await asyncio.sleep(POLL_EVERY_S)

    async def publish_achievement(self, definition: dict[str, Any], achievement_id: str) -> None:
        """Publish a definition under an id of our own; doing it again changes nothing."""
        body = {"achievement_id": achievement_id, **definition}
        await self._send("POST", "/issuer/achievements", json=body)

    async def subscribe(self, url: str) -> str:
        """Subscribe a partner's address to credential events; returns the secret for its signatures."""
        body = {"url": url, "events": ["credential.signed", "credential.revoked"]}
        answer = await self._send("POST", "/notifier/subscriptions", json=body)
        return str(answer.json()["secret"])

    async def submit(self, assessment: dict[str, Any]) -> dict[str, Any]:
        """Hand in one assessment, waiting for its achievement to be known."""
        answer = await self._send("POST", "/assessor/assessments", json=assessment)
        result: dict[str, Any] = answer.json()
        return result

    async def submit_csv(self, path: Path) -> AsyncIterator[dict[str, Any]]:
        """Stream a CSV file in; yields one result a row while it is taken."""

        async def chunks() -> AsyncIterator[bytes]:
            with path.open("rb") as file:
                while chunk := file.read(1 << 16):
                    yield chunk

        headers = {"Content-Type": "text/csv"}
        async with self._http.stream(
            "POST", "/assessor/assessments/bulk", content=chunks(), headers=headers, timeout=BULK_WAIT_S
        ) as answer:
            if answer.status_code != 200:
                await answer.aread()
                raise _refusal(answer)
            async for line in answer.aiter_lines():
                if line:
                    yield json.loads(line)

    async def credential_of(self, assessment_id: str) -> dict[str, Any]:
        """Return what the issuer says of the credential of an assessment, which must have passed."""
        deadline = asyncio.get_running_loop().time() + KNOWN_WAIT_S
        while True:
            answer = await self._send("GET", "/issuer/credentials", params={"assessment_id": assessment_id})
            found: list[dict[str, Any]] = answer.json()["credentials"]
            if found and found[0]["state"] != "issued":
                return found[0]
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable(f"Assessment {assessment_id} has no signed credential yet.")
            await asyncio.sleep(POLL_EVERY_S)

    async def fetch(self, url: str) -> httpx2.Response:
        """Get a public address, as anybody would: without a key."""
        return await self._http.get(url, headers={"Authorization": "", "Accept": "application/json"})

    async def verify(self, credential: bytes) -> dict[str, Any]:
        """Ask the verifier about a credential, as an employer would."""
        headers = {"Authorization": "", "Content-Type": "application/json"}
        answer = await self._send("POST", "/verifier/verify", content=credential, headers=headers)
        verdict: dict[str, Any] = answer.json()
        return verdict

    async def revoke(self, credential_id: str, reason: str) -> None:
        """Withdraw a credential for good."""
        await self._send("POST", f"/issuer/credentials/{credential_id}/revoke", json={"reason": reason})

    async def learner_id(self, reference: str) -> str:
        """Return the id of the learner whom the provider itself calls `reference`."""
        answer = await self._send("GET", "/assessor/learners", params={"reference": reference})
        return str(answer.json()["learner_id"])

    async def erase(self, learner_id: str) -> None:
        """Forget a learner for ever."""
        await self._send("DELETE", f"/assessor/learners/{learner_id}")

    async def _send(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """Send a request; 503 is asked again after its Retry-After, at most for KNOWN_WAIT_S."""
        deadline = asyncio.get_running_loop().time() + KNOWN_WAIT_S
        while True:
            answer = await self._http.request(method, path, **options)
            if answer.status_code < 400:
                return answer
            wait_s = min(float(answer.headers.get("Retry-After", "1")), RETRY_AFTER_S_MAX)
            out_of_time = asyncio.get_running_loop().time() + wait_s > deadline
            if answer.status_code != 503 or out_of_time:
                raise _refusal(answer)
            await asyncio.sleep(wait_s)


def _refusal(answer: httpx2.Response) -> Rejected | Unavailable:
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    title = problem.get("title", f"{answer.request.url.path} answered {answer.status_code}.")
    if answer.status_code == 503:
        return Unavailable(title)
    return Rejected(problem.get("code", "refused"), title, tuple(problem.get("reasons", ())))
