"""The courier when things go wrong: receivers that fail, stall or are gone, and couriers that die."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from services.notifier import domain, messages, store
from services.notifier.domain import ATTEMPTS_MAX
from services.receivers import PartnerEndpoint
from shared.database import Database

FORGETFUL = """
CREATE FUNCTION notifier.forget_it() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$;
CREATE TRIGGER forgetful BEFORE INSERT ON notifier.event FOR EACH ROW
  WHEN (NEW.type = 'notification.sent.v1') EXECUTE FUNCTION notifier.forget_it();
"""

HELD_WAIT_S = 1.0


async def test_every_attempt_has_the_same_id_the_same_body_and_the_same_message(
    town: Any, partner: PartnerEndpoint
) -> None:
    await town.subscribe(partner)
    partner.fail(3, 500)
    bounced: list[bytes] = []
    take = town.mailbox.handle_DATA

    async def keep_all(server: Any, session: Any, envelope: Any) -> str:
        bounced.append(envelope.original_content)
        return str(await take(server, session, envelope))

    town.mailbox.handle_DATA = keep_all
    town.mailbox.refuse(3, "451 4.3.0 Try later")
    await town.feed.sign(await town.feed.learner())
    for _ in range(4):
        await town.settled()
        await town.feed.make_all_due()
    await town.settled()

    assert len(partner.received) == len(bounced) == 4
    assert len({each.id for each in partner.received}) == 1
    assert len({each.body for each in partner.received}) == 1
    assert all(each.verified for each in partner.received)
    assert len(set(bounced)) == 1
    assert b"Message-ID: <" in bounced[0]
    rows = await town.feed.rows("state, attempts")
    assert rows == [{"state": "sent", "attempts": 4}] * 2
    assert await town.feed.told() == ["requested"] * 2 + ["sent"] * 2


async def test_an_attempt_after_a_release_says_what_the_ones_before_it_said(
    town: Any, partner: PartnerEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.subscribe(partner)
    partner.fail(1, 500)
    await town.feed.sign(await town.feed.learner())
    await town.settled()
    later = messages.WORDINGS[1]._replace(webhook_body=lambda *_: b'{"said":"otherwise"}')
    monkeypatch.setattr(messages, "WORDINGS", {1: messages.WORDINGS[1], 2: later})
    monkeypatch.setattr(domain, "WORDING", 2)
    await town.feed.make_all_due()
    await town.feed.sign(await town.feed.learner())
    await town.settled()

    first, again, other = (each.body for each in partner.received)
    assert sorted([again, other]) == sorted([first, b'{"said":"otherwise"}'])


async def test_a_failed_attempt_waits_for_its_moment(town: Any, partner: PartnerEndpoint) -> None:
    await town.subscribe(partner)
    partner.fail(1, 503, {"Retry-After": "7200"})
    await town.feed.erase(learner := await town.feed.learner())
    await town.feed.sign(learner)
    await town.settled()
    [row] = await town.feed.rows("state, attempts, last_reason, due_at - requested_at AS wait")
    assert (row["state"], row["attempts"], row["last_reason"]) == ("due", 1, "http-503")
    assert row["wait"].total_seconds() >= 7200


async def test_a_delivery_is_given_up_after_the_last_attempt_and_one_more_can_be_asked_for(
    town: Any, partner: PartnerEndpoint
) -> None:
    await town.subscribe(partner)
    partner.fail(ATTEMPTS_MAX, 500)
    await town.feed.erase(learner := await town.feed.learner())
    await town.feed.sign(learner)
    for _ in range(ATTEMPTS_MAX + 2):
        await town.settled()
        await town.feed.make_all_due()
    await town.settled()
    [row] = await town.feed.rows()
    assert (row["state"], row["attempts"], row["last_reason"]) == ("gave-up", ATTEMPTS_MAX, "http-500")
    assert len(partner.received) == ATTEMPTS_MAX

    path = f"/notifier/deliveries/{row['notification_id']}/retry"
    headers = await town.caller()
    answer = await town.http.post(path, headers=headers)
    assert (answer.status_code, answer.json()["state"]) == (202, "due")
    await town.settled()
    assert len({each.id for each in partner.received}) == 1
    assert await town.feed.told() == ["requested", "gave-up", "sent"]
    again = await town.http.post(path, headers=headers)
    assert (again.status_code, again.json()["code"]) == (409, "delivery-sent")


async def test_an_endpoint_that_is_gone_disables_its_subscription_and_nothing_else(
    town: Any, partner: PartnerEndpoint, other_partner: PartnerEndpoint
) -> None:
    gone = await town.subscribe(partner)
    await town.subscribe(other_partner)
    partner.fail(1, 410)
    learner = await town.feed.learner()
    await town.feed.sign(learner)
    await town.settled()
    await town.feed.sign(learner)
    await town.settled()
    headers = await town.caller()
    listed = (await town.http.get("/notifier/subscriptions", headers=headers)).json()
    assert {each["subscription_id"]: each["state"] for each in listed}[gone["subscription_id"]] == "disabled"
    assert sorted(each["state"] for each in listed) == ["active", "disabled"]
    assert len(partner.received) == 1
    assert len(other_partner.received) == 2


async def test_what_is_due_to_a_subscription_that_ended_is_given_up(
    town: Any, partner: PartnerEndpoint
) -> None:
    subscription = await town.subscribe(partner)
    partner.fail(1, 500)
    await town.feed.erase(learner := await town.feed.learner())
    await town.feed.sign(learner)
    await town.settled()
    path = f"/notifier/subscriptions/{subscription['subscription_id']}"
    assert (await town.http.delete(path, headers=await town.caller())).status_code == 204
    await town.feed.make_all_due()
    await town.settled()
    [row] = await town.feed.rows()
    assert (row["state"], row["last_reason"]) == ("gave-up", "subscription-deleted")
    assert len(partner.received) == 1


async def test_a_slow_endpoint_holds_back_neither_the_others_nor_the_mail(
    open_town: Any, partner: PartnerEndpoint, other_partner: PartnerEndpoint, until: Any
) -> None:
    async with open_town(webhooks_in_flight_max=4, webhooks_per_subscription_max=2) as town:
        await town.subscribe(partner)
        await town.subscribe(other_partner)
        partner.pause()
        learner = await town.feed.learner()
        for _ in range(12):
            await town.feed.sign(learner)
        await until(lambda: len(other_partner.received) == 12 and len(town.mailbox.messages) == 12)
        assert len(partner.received) == 2  # as many as one subscription may have under way
        partner.resume()
        await town.settled()
        assert len(partner.received) == 12


async def test_what_was_sent_but_not_written_down_is_sent_again_with_the_same_id_and_body(
    town: Any, partner: PartnerEndpoint, until: Any
) -> None:
    await town.subscribe(partner)
    await town.feed.admin.execute(FORGETFUL)
    await town.feed.sign(await town.feed.learner())
    await until(lambda: len(partner.received) == len(town.mailbox.messages) == 1)
    assert await town.feed.told() == ["requested", "requested"]
    await town.feed.make_all_due()  # the leases of the courier that could not write end
    await until(lambda: len(partner.received) == len(town.mailbox.messages) == 2)
    await town.feed.admin.execute("DROP TRIGGER forgetful ON notifier.event")
    await town.settled()

    assert len({(each.id, each.body) for each in partner.received}) == 1
    assert len({each.content for each in town.mailbox.messages}) == 1
    assert await town.feed.told() == ["requested"] * 2 + ["sent"] * 2
    assert {row["state"] for row in await town.feed.rows()} == {"sent"}


async def test_what_a_dead_courier_held_comes_back_when_its_lease_ends(
    town: Any, partner: PartnerEndpoint
) -> None:
    await town.subscribe(partner)
    partner.fail(1, 500)
    await town.feed.erase(learner := await town.feed.learner())
    await town.feed.sign(learner)
    await town.settled()
    hold = "UPDATE notifier.delivery SET state = 'held', holder = gen_random_uuid(), due_at = now()"
    await town.feed.admin.execute(f"{hold} + interval '1 hour'")
    with pytest.raises(TimeoutError, match="courier"):
        await town.house.settled(HELD_WAIT_S)
    assert len(partner.received) == 1  # somebody else's, as far as anyone knows
    await town.feed.admin.execute(hold)
    await town.settled()
    assert len(partner.received) == 2
    assert (await town.feed.rows())[0]["state"] == "sent"


@pytest.fixture
async def own_databases(roles: Any) -> AsyncIterator[tuple[Database, Database]]:
    async with (
        await Database.open(roles.dsn("notifier"), "notifier", 8) as one,
        await Database.open(roles.dsn("notifier"), "notifier", 8) as other,
    ):
        yield one, other


async def test_two_couriers_never_take_the_same_delivery(
    open_town: Any, own_databases: tuple[Database, Database]
) -> None:
    async with open_town() as town:
        learner = await town.feed.learner()
        await town.settled()
        # Letters that nobody takes yet: their moment is in an hour.
        town.mailbox.refuse(40, "451 4.3.0 Try later")
        for _ in range(40):
            await town.feed.sign(learner)
        await town.settled()
    await town.feed.admin.execute("UPDATE notifier.delivery SET due_at = now(), attempts = 0")

    async def take_all(database: Database, holder: int) -> list[str]:
        found: list[str] = []
        while True:
            async with database.connection() as connection:
                taken = await store.take(
                    connection,
                    "mail",
                    UUID(int=holder),
                    lane_max=3,
                    busy={},
                    after="",
                    deliveries_max=3,
                    lease_s=600,
                )
            if not taken:
                return found
            found += [each.notification_id for each in taken]

    couriers = [
        take_all(database, index + 1) for index in range(4) for database in own_databases[index % 2 :][:1]
    ]
    shares = await asyncio.gather(*couriers)
    taken = [each for share in shares for each in share]
    assert len(taken) == len(set(taken)) == 40


async def test_two_running_couriers_deliver_each_message_once(
    open_town: Any, partner: PartnerEndpoint
) -> None:
    async with open_town() as town, open_town() as twin:
        await town.subscribe(partner)
        learner = await town.feed.learner()
        for _ in range(30):
            await town.feed.sign(learner)
        await town.settled()
        await twin.settled()
        assert len(partner.received) == len({each.id for each in partner.received}) == 30
        assert len(town.mailbox.messages) == 30
        assert {row["attempts"] for row in await town.feed.rows()} == {1}
