"""Rebuilds the read model from the log: what `microcred replay verifier` does.

The same lanes that work live read everything again from position zero. Nothing leaves the house in it: the
verifier has no side effects.
"""

from __future__ import annotations

from services.verifier import store
from shared.bus.seam import Bus
from shared.service import Service, migrate_service, running


async def rebuild(service: Service, bus: Bus, wait_s: float) -> None:
    """Empty the read model and replay the log into it. Closes the service's database and the bus with it.

    Safe beside a running verifier: its lanes are fenced and join in from zero. Until the end a credential may
    be judged `unknown` for want of its list. Raises TimeoutError if the replay takes longer than `wait_s`.
    """
    await migrate_service(service)
    async with service.database.session() as session:
        await store.forget_all(session.connection, [lane.name for lane in service.subscriptions])
    async with running([service], bus) as house:
        await house.settled(wait_s)
