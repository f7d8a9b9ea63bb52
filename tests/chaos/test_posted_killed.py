"""kill -9 beside the commits in a posted credential's life: nothing is lost, nothing happens twice.

Judged by the poster's own journal: the digest of each answer, which may never change, and what it asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections import Counter

import asyncpg
import httpx2
import pytest

from services.demo.provider import Provider
from services.demo.sample import issuer_settings, sample_issuer
from services.world_folder import read_environment
from tests.chaos.checks import POLL_EVERY_S, SETTLE_WAIT_S
from tests.chaos.conftest import KillableWorld
from tests.chaos.journal import Journal
from tests.integration.issuer.posting import credential, end, forget, post

NAMES = [f"urn:uuid:00000000-0000-4000-8000-{number:012d}" for number in range(8)]
REVOKED, FORGOTTEN, KEPT = NAMES[:2], NAMES[2:4], NAMES[4:]
BLOWS = (
    ("issuer.post", "after"),
    ("issuer.sign_posted", "before"),
    ("issuer.sign_posted", "after"),
    ("issuer.revoke_posted", "after"),
    ("issuer.forget_posted", "before"),
)
"""A request that dies before its commit did nothing, as any other: one of them stands for all."""
LIFE = """
SELECT convert_from(data, 'UTF8')::jsonb ->> 'credential_id' AS credential_id,
       convert_from(data, 'UTF8')::jsonb -> 'status' AS place, type
FROM issuer.event WHERE type LIKE 'posted-credential.%'
"""


def caller(world: KillableWorld, token: str) -> httpx2.AsyncClient:
    """Return a client that speaks for the issuer whose key is `token`."""
    headers = {"Authorization": f"Bearer {token}"}
    return httpx2.AsyncClient(base_url=world.address, headers=headers, timeout=SETTLE_WAIT_S, trust_env=False)


async def post_all(http: httpx2.AsyncClient, journal: Journal) -> dict[str, bytes]:
    """Post all at once, again while they are not signed yet; returns what was answered, by name.

    One that is forgotten by now is refused; every other one has the answer that it had before.
    """

    async def signed(name: str) -> bytes:
        journal.note_sent(name)
        while (answer := await post(http, credential(id=name))).status_code == 503:  # noqa: ASYNC110 - another process works
            await asyncio.sleep(POLL_EVERY_S)
        assert answer.status_code == 201 or name in FORGOTTEN, answer.text
        if answer.status_code == 201:
            journal.note_acknowledged(name, hashlib.sha256(answer.content).hexdigest())
        return answer.content

    return dict(zip(NAMES, await asyncio.gather(*map(signed, NAMES)), strict=True))


async def end_some(http: httpx2.AsyncClient) -> None:
    """Revoke two and have two others forgotten."""
    for name in REVOKED:
        assert (await end(http, name)).status_code == 200
    for name in FORGOTTEN:
        assert (await forget(http, name)).status_code == 202


async def verdict(provider: Provider, answer: bytes) -> str:
    """Return what the verifier says of the credential in an answer to its poster."""
    document = answer.removeprefix(b'{"verifiableCredential":').removesuffix(b"}")
    return str((await provider.verify(document))["verdict"])


async def check_log(world: KillableWorld) -> None:
    """Each was issued and signed once, at a place of its own, and ended once if it was to end."""
    connection = await asyncpg.connect(read_environment(world.folder)["BUS_DATABASE_URL"])
    try:
        rows = await connection.fetch(LIFE)
    finally:
        await connection.close()
    happened = Counter(row["type"] for row in rows)
    assert happened == {
        "posted-credential.issued.v1": len(NAMES),
        "posted-credential.signed.v1": len(NAMES),
        "posted-credential.revoked.v1": len(REVOKED),
        "posted-credential.forgotten.v1": len(FORGOTTEN),
    }
    assert len({(row["credential_id"], row["type"]) for row in rows}) == len(rows)
    issued = [row["place"] for row in rows if row["type"] == "posted-credential.issued.v1"]
    assert len(set(issued)) == len(NAMES)


@pytest.mark.parametrize(("lane", "side"), BLOWS)
async def test_killed_beside_a_commit_a_posted_credential_is_made_once_and_stays_the_same(
    lane: str, side: str, killable: KillableWorld, journal: Journal
) -> None:
    await killable.start(doom={"lane": lane, "side": side, "number": 1})
    issuer = await sample_issuer(issuer_settings(killable.folder), killable.folder)
    async with Provider(killable.address, issuer.token) as provider:
        await provider.until_known()
    with contextlib.suppress(httpx2.HTTPError):
        async with caller(killable, issuer.token) as http:
            await post_all(http, journal)
            await end_some(http)
    assert await killable.died(), "the world was not killed at its named point"
    await killable.start()
    async with caller(killable, issuer.token) as http, Provider(killable.address, issuer.token) as provider:
        answers = await post_all(http, journal)
        await end_some(http)
        for name in FORGOTTEN:
            assert (await post(http, credential(id=name))).status_code == 410
        async with asyncio.timeout(SETTLE_WAIT_S):
            for name in REVOKED:
                while await verdict(provider, answers[name]) != "invalid":  # noqa: ASYNC110 - another process works
                    await asyncio.sleep(POLL_EVERY_S)
        assert {await verdict(provider, answers[name]) for name in KEPT} == {"valid"}
    await check_log(killable)
