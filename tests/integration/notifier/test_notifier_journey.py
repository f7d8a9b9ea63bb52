"""A credential is signed, then revoked: who is told, with what bytes, how often."""

from __future__ import annotations

import email
import email.policy
import json
import re
from typing import Any

from standardwebhooks.webhooks import Webhook
from structlog.testing import capture_logs

from services.receivers import PartnerEndpoint
from shared import telemetry


async def test_a_signed_and_a_revoked_credential_are_each_told_once_by_mail_and_by_webhook(
    town: Any, partner: PartnerEndpoint
) -> None:
    subscription = await town.subscribe(partner)
    learner = await town.feed.learner(name="Åsa Müller", email="asa@example.org")
    signed = await town.feed.sign(learner)
    await town.settled()
    revoked = await town.feed.revoke(learner, signed.credential_id)
    await town.settled()

    assert [mail.recipients for mail in town.mailbox.messages] == [("asa@example.org",)] * 2
    first, second = (
        email.message_from_bytes(mail.content, policy=email.policy.default) for mail in town.mailbox.messages
    )
    assert first["Subject"] == "Your micro-credential: Data & Ethics"
    assert second["Subject"] == "Revoked: Data & Ethics"
    assert first["Message-ID"] != second["Message-ID"]
    told = [json.loads(each.body) for each in partner.deliveries]
    assert [each["type"] for each in told] == ["credential.signed", "credential.revoked"]
    assert told[0]["data"] == {
        "credential_id": signed.credential_id,
        "credential_url": f"http://localhost:8080/credentials/{signed.credential_id}",
        "status": "valid",
        "achievement_id": signed.achievement_id,
        "achievement_version": 2,
        "achievement_name": "Data & Ethics",
        "issuer_id": "alpha-academy",
        "issuer_name": "Alpha Academy",
    }
    stamp = revoked.revoked_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert told[1]["timestamp"] == stamp
    for each in partner.received:
        assert Webhook(subscription["secret"]).verify(each.body, each.headers) == json.loads(each.body)
    rows = await town.feed.rows("state, attempts, last_reason")
    assert rows == [{"state": "sent", "attempts": 1, "last_reason": None}] * 4
    assert sorted(await town.feed.told()) == ["requested"] * 4 + ["sent"] * 4
    journeys = {
        sample.labels["journey"]
        for metric in telemetry.END_TO_END_SECONDS.collect()
        for sample in metric.samples
    }
    assert {"signed-to-told", "revoked-to-told"} <= journeys
    assert {each for each in journeys if not re.fullmatch("[a-z]+-to-[a-z]+", each)} == set()


async def test_a_webhook_carries_nothing_about_the_learner(town: Any, partner: PartnerEndpoint) -> None:
    await town.subscribe(partner)
    learner = await town.feed.learner(name="Åsa Müller", email="asa@example.org")
    signed = await town.feed.sign(learner)
    await town.feed.revoke(learner, signed.credential_id)
    await town.settled()
    assert len(partner.received) == 2
    for each in partner.received:
        everything = each.body + json.dumps(each.headers).encode()
        for personal in ("Åsa", "Müller", "asa@", learner.learner_id, "issued-in-error"):
            assert personal.encode() not in everything
            assert personal not in json.dumps(json.loads(each.body), ensure_ascii=False)


async def test_a_partner_hears_of_the_kinds_that_it_asked_for_alone(
    town: Any, partner: PartnerEndpoint
) -> None:
    await town.subscribe(partner, "alpha-academy", "credential.revoked")
    learner = await town.feed.learner()
    signed = await town.feed.sign(learner)
    await town.feed.revoke(learner, signed.credential_id)
    await town.settled()
    assert [json.loads(each.body)["type"] for each in partner.received] == ["credential.revoked"]
    assert len(town.mailbox.messages) == 2


async def test_facts_heard_again_beside_a_new_one_ask_for_nothing_but_the_new(
    open_town: Any, partner: PartnerEndpoint
) -> None:
    async with open_town() as town:
        await town.subscribe(partner)
        learner = await town.feed.learner()
        for _ in range(3):
            await town.feed.sign(learner)
        await town.settled()
        told_once = await town.feed.told()
    await town.feed.admin.execute("DELETE FROM notifier.inbox; DELETE FROM notifier.cursor")
    await town.feed.sign(learner)
    async with open_town() as town:  # everything is read again, and nothing is remembered but the log
        await town.settled()
        told = await town.feed.told()
        assert told[: len(told_once)] == told_once
        assert len(told) - len(told_once) == 4, "a letter and a webhook, asked for and sent"
        assert await town.feed.admin.fetch("SELECT * FROM notifier.dead_letter") == []
        assert len(town.mailbox.messages) == len(partner.received) == 4


UNCOMMITTED = """
CREATE SEQUENCE notifier.failures;
GRANT USAGE ON SEQUENCE notifier.failures TO notifier;
CREATE FUNCTION notifier.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  PERFORM nextval('notifier.failures');
  RAISE EXCEPTION 'cancelled at commit' USING ERRCODE = 'query_canceled';
END $$;
CREATE CONSTRAINT TRIGGER uncommitted AFTER INSERT ON notifier.event DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION notifier.fail();
"""


async def test_nothing_is_due_before_the_announcement_is_committed(
    town: Any, partner: PartnerEndpoint, until: Any
) -> None:
    await town.subscribe(partner)
    await town.feed.admin.execute(UNCOMMITTED)
    await town.feed.sign(await town.feed.learner())

    async def failed_twice() -> bool:
        return bool(await town.feed.admin.fetchval("SELECT last_value > 1 FROM notifier.failures"))

    await until(failed_twice)
    assert await town.feed.rows() == []
    assert len(partner.received) == len(town.mailbox.messages) == 0
    await town.feed.admin.execute("DROP TRIGGER uncommitted ON notifier.event")
    await town.settled()
    assert len(partner.received) == len(town.mailbox.messages) == 1
    assert await town.feed.told() == ["requested"] * 2 + ["sent"] * 2


async def test_a_revocation_of_what_was_never_signed_is_told_to_nobody(
    town: Any, partner: PartnerEndpoint
) -> None:
    await town.subscribe(partner)
    learner = await town.feed.learner()
    unsigned = town.feed.signed(learner)
    with capture_logs() as said:
        await town.feed.revoke(learner, unsigned.credential_id)
        await town.settled()
    assert await town.feed.told() == []
    told = {(line["event"], line.get("correlation")) for line in said}
    assert ("not announced", "correlation-of-the-test") in told


async def test_a_partner_is_not_told_what_happened_long_before_it_subscribed(
    open_town: Any, partner: PartnerEndpoint
) -> None:
    async with open_town() as town:
        await town.feed.sign(await town.feed.learner())
        await town.settled()
        await town.subscribe(partner)
        await town.feed.admin.execute(
            "UPDATE notifier.subscription SET created_at = now() + interval '1 hour'"
        )
    await town.feed.admin.execute("DELETE FROM notifier.inbox; DELETE FROM notifier.cursor")
    async with open_town() as town:
        await town.settled()
        assert list(partner.received) == []
        assert len(town.mailbox.messages) == 1


async def test_whoever_was_forgotten_before_the_announcement_gets_no_letter_and_partners_are_still_told(
    town: Any, partner: PartnerEndpoint
) -> None:
    await town.subscribe(partner)
    learner = await town.feed.learner()
    await town.feed.erase(learner)
    await town.settled()
    await town.feed.sign(learner)
    await town.settled()
    assert list(town.mailbox.messages) == []
    assert len(partner.received) == 1
    assert [row["channel"] for row in await town.feed.rows()] == ["webhook"]


async def test_a_letter_still_due_when_its_learner_is_forgotten_is_given_up(town: Any) -> None:
    learner = await town.feed.learner()
    town.mailbox.refuse(1, "451 4.3.0 Try later")
    await town.feed.sign(learner)
    await town.settled()
    assert (await town.feed.rows())[0]["last_reason"] == "message-deferred-451"
    await town.feed.erase(learner)
    await town.settled()
    await town.feed.make_all_due()
    await town.settled()
    [row] = await town.feed.rows()
    assert (row["state"], row["last_reason"]) == ("gave-up", "learner-erased")
    assert list(town.mailbox.messages) == []
    assert await town.feed.told() == ["requested", "gave-up"]
