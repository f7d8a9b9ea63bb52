"""A replay builds the projection again, byte for byte, and tells nobody anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.notifier.replay import replay
from services.receivers import PartnerEndpoint


async def test_a_replay_restores_the_projection_and_sends_nothing(
    town: Any, partner: PartnerEndpoint, notifier_settings: Callable[..., Any]
) -> None:
    await town.subscribe(partner)
    learner = await town.feed.learner()
    signed = [await town.feed.sign(learner) for _ in range(3)]
    await town.feed.revoke(learner, signed[0].credential_id)
    await town.settled()
    every_row = "SELECT c::text FROM notifier.credential c ORDER BY credential_id"
    before = [row[0] for row in await town.feed.admin.fetch(every_row)]
    deliveries = await town.feed.rows()
    sent = (len(partner.received), len(town.mailbox.messages))
    assert len(before) == 3
    assert sent == (4, 4)
    await town.feed.admin.execute(
        "UPDATE notifier.credential SET achievement_name = 'spoilt', revoked_at = NULL"
    )

    said = await replay(notifier_settings())
    await town.settled()

    assert said == "notifier: credentials and API keys rebuilt from 5 events."
    assert [row[0] for row in await town.feed.admin.fetch(every_row)] == before
    assert await town.feed.rows() == deliveries
    assert (len(partner.received), len(town.mailbox.messages)) == sent
