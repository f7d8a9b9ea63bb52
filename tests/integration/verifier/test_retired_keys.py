"""Signatures are judged by when they were made: after its start and before its end a key is its tenant's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from httpx2 import AsyncClient

from services.verifier.replay import rebuild
from services.verifier.service import build
from services.verifier.settings import VerifierSettings
from shared import clock
from shared.bus.local import LocalBus
from shared.contracts.issuers import IssuerKeyRetired, KeyRetirement
from shared.database import Database
from shared.service import Running
from tests.integration.verifier.conftest import (
    SETTLE_WAIT_S,
    Log,
    check,
    published_key,
    published_list,
    stamp,
    verify,
)
from tests.unit.verifier.credentials import WEB, WEB_DID, Signer, badge

KEY = "key belongs to issuer"
HOUR = timedelta(hours=1)
SECOND = Signer(9, WEB_DID)


def retirement(signer: Signer, reason: KeyRetirement, ends_at: datetime) -> IssuerKeyRetired:
    return IssuerKeyRetired(
        did=signer.did,
        key_id=signer.method,
        public_key_multibase=signer.multikey,
        reason=reason,
        ends_at=ends_at,
        retired_at=clock.now(),
    )


def hours_ago(number: int) -> datetime:
    """A whole second, as proofs tell it."""
    return clock.now().replace(microsecond=0) - number * HOUR


def signed(signer: Signer, created: datetime) -> dict[str, Any]:
    return signer.sign(badge(signer, credentialStatus=None), created=stamp(created))


async def judged(client: AsyncClient, signer: Signer, created: datetime) -> tuple[str, str | None]:
    """The verdict on what `signer` signed, and the code about its key."""
    verdict: Any = await verify(client, signed(signer, created))
    return verdict["verdict"], check(verdict, KEY).get("code")


async def test_a_superseded_key_vouches_for_what_it_signed_and_for_nothing_later(
    house: Running, client: AsyncClient, log: Log
) -> None:
    await log.publish_tenant(WEB)
    end = hours_ago(2)
    await log.append(published_key(SECOND, end), retirement(WEB, "superseded", end))
    await house.settled(SETTLE_WAIT_S)
    assert await judged(client, WEB, end - HOUR) == ("valid", None)
    assert await judged(client, WEB, end + HOUR) == ("invalid", "INVALID_VERIFICATION_METHOD")
    assert await judged(client, SECOND, end + HOUR) == ("valid", None)
    assert await judged(client, SECOND, end - HOUR) == ("invalid", "INVALID_VERIFICATION_METHOD")


async def test_what_bears_a_moment_after_a_compromise_is_refused_with_its_reason(
    house: Running, client: AsyncClient, log: Log
) -> None:
    await log.publish_tenant(WEB)
    lost = hours_ago(2)
    await log.append(published_key(SECOND, lost), retirement(WEB, "superseded", clock.now()))
    await house.settled(SETTLE_WAIT_S)
    assert await judged(client, WEB, lost + HOUR) == ("valid", None)
    await log.append(retirement(WEB, "compromised", lost))
    await house.settled(SETTLE_WAIT_S)
    assert await judged(client, WEB, lost - HOUR) == ("valid", None)
    assert await judged(client, WEB, lost) == ("invalid", "KEY_COMPROMISED")
    assert await judged(client, WEB, lost + HOUR) == ("invalid", "KEY_COMPROMISED")
    verdict: Any = await verify(client, signed(WEB, lost + HOUR))
    assert f"compromised on {lost:%Y-%m-%d %H:%M} UTC" in verdict["sentence"]


async def test_a_list_under_a_compromised_key_tells_nothing_until_it_is_signed_anew(
    house: Running, client: AsyncClient, log: Log
) -> None:
    await log.publish_tenant(WEB)
    lost, now = hours_ago(2), stamp(clock.now())
    await log.append(published_key(SECOND, lost), published_list(WEB, created=now))
    await house.settled(SETTLE_WAIT_S)
    assert (await verify(client, WEB.sign(badge(WEB), created=stamp(lost - HOUR))))["verdict"] == "valid"
    await log.append(retirement(WEB, "compromised", lost))
    await house.settled(SETTLE_WAIT_S)
    credential = SECOND.sign(badge(SECOND), created=now)
    assert (await verify(client, credential))["verdict"] == "unknown"
    await log.append(published_list(SECOND, version=2, created=now))
    await house.settled(SETTLE_WAIT_S)
    assert (await verify(client, credential))["verdict"] == "valid"


async def test_a_replay_keeps_every_key_with_its_end(
    house: Running,
    log: Log,
    settings: VerifierSettings,
    new_bus: Callable[[], Awaitable[LocalBus]],
) -> None:
    await log.publish_tenant(WEB)
    end = hours_ago(0)
    await log.append(published_key(SECOND, end), retirement(WEB, "superseded", end))
    await log.append(retirement(WEB, "compromised", end - HOUR))
    await house.settled(SETTLE_WAIT_S)
    before = await kept(house.services[0].database)
    await rebuild(await build(settings), await new_bus(), SETTLE_WAIT_S)
    assert await kept(house.services[0].database) == before
    assert [row[1:] for row in before] == [(end - HOUR, True), (None, False)]


async def kept(database: Database) -> list[tuple[Any, ...]]:
    """Every key that the verifier keeps, oldest first, with its end."""
    async with database.connection() as connection:
        rows = await connection.fetch(
            "SELECT key_id, ends_at, compromised FROM issuer_key ORDER BY valid_from"
        )
    return [tuple(row) for row in rows]
