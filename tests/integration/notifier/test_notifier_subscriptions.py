"""Subscribers at the counter: secrets shown once, addresses refused, rotation, and tenants kept apart."""

from __future__ import annotations

import json
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from services.receivers import PartnerEndpoint
from shared.access import Scope

ALPHA, BETA = "alpha-academy", "beta-college"
WANTED = {"url": "https://hooks.example.org/microcred", "events": ["credential.signed"]}


async def test_the_secret_is_shown_once_and_lies_in_the_database_in_no_readable_form(town: Any) -> None:
    headers = await town.caller()
    made = (await town.http.post("/notifier/subscriptions", json=WANTED, headers=headers)).json()
    assert made["secret"].startswith("whsec_")
    path = f"/notifier/subscriptions/{made['subscription_id']}"
    shown = (await town.http.get(path, headers=headers)).json()
    [listed] = (await town.http.get("/notifier/subscriptions", headers=headers)).json()
    assert shown == listed == {name: value for name, value in made.items() if name != "secret"}
    [row] = await town.feed.admin.fetch("SELECT * FROM notifier.subscription")
    assert made["secret"].encode() not in row["secret"]


async def test_an_address_is_subscribed_once_until_its_subscription_ends(town: Any) -> None:
    headers = await town.caller()
    made = (await town.http.post("/notifier/subscriptions", json=WANTED, headers=headers)).json()
    again = await town.http.post("/notifier/subscriptions", json=WANTED, headers=headers)
    assert (again.status_code, again.json()["code"]) == (409, "subscription-exists")
    path = f"/notifier/subscriptions/{made['subscription_id']}"
    assert (await town.http.delete(path, headers=headers)).status_code == 204
    for answer in (
        await town.http.get(path, headers=headers),
        await town.http.delete(path, headers=headers),
        await town.http.post(f"{path}/rotate-secret", headers=headers),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "subscription-unknown")
    assert (await town.http.get("/notifier/subscriptions", headers=headers)).json() == []
    anew = await town.http.post("/notifier/subscriptions", json=WANTED, headers=headers)
    assert anew.status_code == 201


async def test_an_issuer_has_a_bounded_number_of_subscriptions(open_town: Any) -> None:
    async with open_town(subscriptions_per_issuer_max=2) as town:
        headers = await town.caller()
        answers = []
        for number in range(3):
            body = WANTED | {"url": f"https://hooks.example.org/{number}"}
            answers.append(await town.http.post("/notifier/subscriptions", json=body, headers=headers))
        assert [answer.status_code for answer in answers] == [201, 201, 409]
        assert answers[2].json()["code"] == "subscriptions-full"


@pytest.mark.parametrize(
    "body",
    [
        WANTED | {"url": "http://hooks.example.org/"},
        WANTED | {"url": "https://169.254.169.254/latest/meta-data"},
        WANTED | {"url": "https://user:password@hooks.example.org/"},
        WANTED | {"events": []},
        WANTED | {"events": ["assessment.passed"]},
        WANTED | {"secret": "whsec_mine"},
    ],
)
async def test_what_cannot_be_subscribed_is_refused(open_town: Any, body: dict[str, Any]) -> None:
    async with open_town(outbound_allow_loopback=False) as town:
        answer = await town.http.post("/notifier/subscriptions", json=body, headers=await town.caller())
        assert answer.status_code == 422
        assert "password" not in answer.text


async def test_after_a_rotation_both_secrets_sign_until_the_overlap_ends(
    town: Any, partner: PartnerEndpoint
) -> None:
    first = await town.subscribe(partner)
    headers = await town.caller()
    path = f"/notifier/subscriptions/{first['subscription_id']}/rotate-secret"
    second = (await town.http.post(path, headers=headers)).json()
    assert second["secret"] != first["secret"]
    learner = await town.feed.learner()
    await town.feed.sign(learner)
    await town.settled()
    [during] = partner.received
    assert len(during.headers["webhook-signature"].split(" ")) == 2
    for secret in (first["secret"], second["secret"]):
        assert Webhook(secret).verify(during.body, during.headers)

    await town.feed.admin.execute("UPDATE notifier.subscription SET retiring_until = now()")
    partner.trust(second["secret"])
    await town.feed.sign(learner)
    await town.settled()
    after = partner.received[-1]
    assert len(after.headers["webhook-signature"].split(" ")) == 1
    assert Webhook(second["secret"]).verify(after.body, after.headers)


async def test_one_tenant_neither_hears_nor_sees_nor_touches_what_belongs_to_another(
    town: Any, partner: PartnerEndpoint, other_partner: PartnerEndpoint
) -> None:
    ours = await town.subscribe(partner, ALPHA)
    await town.subscribe(other_partner, BETA)
    alphas, betas = await town.feed.learner(ALPHA), await town.feed.learner(BETA)
    shared_id = town.feed.signed(alphas).credential_id
    for learner in (alphas, betas):  # equal ids in two tenants are two credentials
        await town.feed.append(town.feed.issuer, learner.issuer_id, town.feed.signed(learner, shared_id))
    await town.settled()
    assert [json.loads(each.body)["data"]["issuer_id"] for each in partner.received] == [ALPHA]
    assert [json.loads(each.body)["data"]["issuer_id"] for each in other_partner.received] == [BETA]
    assert sorted(mail.recipients[0] for mail in town.mailbox.messages) == sorted([alphas.email, betas.email])

    theirs = await town.caller(BETA)
    subscription = f"/notifier/subscriptions/{ours['subscription_id']}"
    deliveries = f"/notifier/deliveries?credential_id={shared_id}"
    seen = (await town.http.get(deliveries, headers=theirs)).json()
    assert len(seen) == 2
    mine = (await town.http.get(deliveries, headers=await town.caller(ALPHA))).json()
    assert not {each["notification_id"] for each in mine} & {each["notification_id"] for each in seen}
    for answer in (
        await town.http.get(subscription, headers=theirs),
        await town.http.delete(subscription, headers=theirs),
        await town.http.post(f"{subscription}/rotate-secret", headers=theirs),
        await town.http.post(f"/notifier/deliveries/{mine[0]['notification_id']}/retry", headers=theirs),
    ):
        assert answer.status_code == 404
    kept = await town.http.get(subscription, headers=await town.caller(ALPHA))
    assert kept.json()["state"] == "active"


async def test_deliveries_show_how_it_went_and_nothing_about_the_learner(town: Any) -> None:
    learner = await town.feed.learner(name="Åsa Müller", email="asa@example.org")
    signed = await town.feed.sign(learner)
    await town.settled()
    answer = await town.http.get(
        f"/notifier/deliveries?credential_id={signed.credential_id}",
        headers=await town.caller(ALPHA, Scope.CREDENTIALS_READ),
    )
    [delivery] = answer.json()
    assert (delivery["channel"], delivery["state"], delivery["attempts"]) == ("mail", "sent", 1)
    for personal in ("asa@", "Müller", learner.learner_id):
        assert personal not in answer.text


async def test_each_endpoint_demands_its_own_scope(town: Any) -> None:
    writer = await town.caller(ALPHA, Scope.SUBSCRIPTIONS_WRITE)
    reader = await town.caller(ALPHA, Scope.CREDENTIALS_READ)
    some_id = "018f3d70-0000-7000-8000-000000000000"
    demands = [
        ("POST", "/notifier/subscriptions", reader),
        ("GET", "/notifier/subscriptions", reader),
        ("GET", f"/notifier/subscriptions/{some_id}", reader),
        ("DELETE", f"/notifier/subscriptions/{some_id}", reader),
        ("POST", f"/notifier/subscriptions/{some_id}/rotate-secret", reader),
        ("POST", f"/notifier/deliveries/{some_id}/retry", reader),
        ("GET", f"/notifier/deliveries?credential_id={some_id}", writer),
    ]
    for method, path, without_scope in demands:
        body = WANTED if path.endswith("subscriptions") and method == "POST" else None
        nobody = await town.http.request(method, path, json=body)
        wrong = await town.http.request(method, path, json=body, headers=without_scope)
        assert (nobody.status_code, wrong.status_code) == (401, 403), path


async def test_the_examples_of_the_api_pages_work_when_pasted(town: Any) -> None:
    page = (await town.http.get("/notifier/openapi.json")).json()
    content = page["paths"]["/subscriptions"]["post"]["requestBody"]["content"]["application/json"]
    headers = await town.caller()
    answers = [
        await town.http.post("/notifier/subscriptions", json=example["value"], headers=headers)
        for example in content["examples"].values()
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
