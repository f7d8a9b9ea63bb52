"""Builds the read model again from the log: what `microcred replay verifier` does.

The same lanes that work live read everything from position zero. Nothing leaves the house in it: the verifier
has no side effects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from services.starting import open_bus
from services.verifier import store
from services.verifier.service import build
from services.verifier.settings import VerifierSettings
from shared.bus.seam import Bus
from shared.service import Service, migrate_service, running

REPLAY_WAIT_S = 3_600.0
LOOK_EVERY_S = 0.05


async def replay(settings: VerifierSettings) -> str:
    """Rebuild the verifier that `settings` describe; returns a sentence for the operator."""
    service = await build(settings)
    events = await rebuild(service, await open_bus(settings, [service]), REPLAY_WAIT_S)
    return f"verifier: status lists, issuers, public keys and API keys rebuilt from {events} events."


async def rebuild(service: Service, bus: Bus, wait_s: float) -> int:
    """Empty the read model, replay the log into it, and return how many events it was made of.

    Safe beside a running verifier: its lanes are fenced and join in from zero. Until the end a credential may
    be judged `unknown` for want of its list. Closes the service's database and the bus. Raises TimeoutError
    if the replay takes longer than `wait_s` seconds.
    """
    lanes = [lane.name for lane in service.subscriptions]
    await migrate_service(service)
    async with service.database.session() as session:
        before = await store.positions(session.connection, lanes)
        await store.forget_all(session.connection, lanes)
    async with running([service], bus) as house:
        async with asyncio.timeout(wait_s):
            while not await _caught_up(service, lanes, before):  # noqa: ASYNC110 - another process works
                await asyncio.sleep(LOOK_EVERY_S)
        await house.settled(wait_s)
        async with service.database.connection() as connection:
            return await store.events_taken(connection, lanes)


async def _caught_up(service: Service, lanes: Sequence[str], before: Mapping[str, int]) -> bool:
    """Tell whether the lanes are as far as they were. What the bus says waits is not enough: it may count
    from where a group had come to before it was set back."""
    async with service.database.connection() as connection:
        now = await store.positions(connection, lanes)
    return all(now[name] >= position for name, position in before.items())
