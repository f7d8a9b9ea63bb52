"""The life of a posted credential: signed once, revoked for good, forgotten on demand."""

from __future__ import annotations

import json
from typing import Any

from services.issuer.api.examples import STATUS_UPDATE
from services.issuer.handlers.posted_keys import PostedKeys, opened_of
from services.issuer.handlers.skips import SKIPPED
from services.issuer.settings import IssuerSettings
from shared import clock
from shared.contracts.credentials import CredentialIssued, CredentialRevoked
from shared.contracts.posted import (
    PostedCredentialForgotten,
    PostedCredentialIssued,
    PostedCredentialRevoked,
    PostedCredentialSigned,
)
from shared.contracts.status_lists import StatusListPublished
from shared.proofs import bitstring
from shared.sealing import MasterKey
from tests.integration.issuer.conftest import SETTLE_WAIT_S, Desk, client, opened, take
from tests.integration.issuer.posting import NAME, credential, end, forget, post, unsigned

SIGN = "issuer.sign_posted"


async def test_a_status_update_revokes_for_good_and_says_so_again(desk: Desk) -> None:
    await desk.tenant()
    async with desk.house() as house, client(house, await desk.api_key("oslo")) as http:
        entry = (await post(http, credential())).json()["verifiableCredential"]["credentialStatus"]
        first = await end(http, NAME, credentialStatus=entry, reason="misconduct")
        again = await end(http, NAME)
        await house.settled(SETTLE_WAIT_S)
        repeated = await post(http, credential())
    assert first.status_code == 200, first.text
    assert first.json() == again.json()
    assert first.json() == {"credentialId": NAME, "credentialStatus": entry, "status": True}
    (revoked,) = await desk.log(PostedCredentialRevoked)
    assert revoked.event.reason == "misconduct"
    published = (await desk.log(StatusListPublished))[-1].event
    shown = json.loads(published.credential)["credentialSubject"]["encodedList"]
    assert bitstring.decode(shown).get(int(entry["statusListIndex"]))
    assert repeated.status_code == 201, "what was signed stays what it is"


ENTRY: dict[str, Any] = STATUS_UPDATE["credentialStatus"]
STATUS_REFUSED: dict[str, dict[str, Any]] = {
    "taken back": {"status": False},
    "no boolean": {"status": 1},
    "suspension": {"credentialStatus": {**ENTRY, "statusPurpose": "suspension"}},
    "another type": {"credentialStatus": {**ENTRY, "type": "StatusList2021Entry"}},
    "another place": {"credentialStatus": {**ENTRY, "statusListIndex": "131072"}},
    "no entry": {"credentialStatus": None},
    "an allocator": {"indexAllocator": "ours"},
    "an unheard reason": {"reason": "because"},
}


async def test_a_status_update_that_cannot_be_is_refused_and_changes_nothing(desk: Desk) -> None:
    await desk.tenant()
    async with desk.house() as house, client(house, await desk.api_key("oslo")) as http:
        await post(http, credential())
        for name, changes in STATUS_REFUSED.items():
            assert (await end(http, NAME, **changes)).status_code == 400, name
        for unknown in ("urn:uuid:nobody", str(clock.random_uuid()), "https://badges.example.edu/status/x#1"):
            assert (await end(http, unknown)).status_code == 404
            assert (await forget(http, unknown)).status_code == 404
    assert not await desk.log(PostedCredentialRevoked)


async def test_a_credential_from_an_assessment_is_revoked_by_its_address_or_its_id(desk: Desk) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement()
    await desk.passes(await desk.learner(), achievement_id, "a-1")
    await desk.passes(await desk.learner(), achievement_id, "a-2")
    async with desk.house() as house, client(house, await desk.api_key("oslo")) as http:
        await house.settled(SETTLE_WAIT_S)
        first, second = [each.event.credential_id for each in await desk.log(CredentialIssued)]
        address = f"https://badges.example.edu/credentials/{first}"
        entry = (await http.get(address)).json()["credentialStatus"]
        answers = [await end(http, address, credentialStatus=entry), await end(http, second)]
        erased = await forget(http, address)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["credentialStatus"] == entry
    ended = await desk.log(CredentialRevoked)
    assert {each.event.credential_id for each in ended} == {first, second}
    assert erased.status_code == 404, "it is forgotten with its learner"


async def test_what_is_forgotten_is_gone_and_its_status_stays(desk: Desk) -> None:
    await desk.tenant()
    async with desk.house() as house, client(house, await desk.api_key("oslo")) as http:
        await post(http, credential())
        answers = [await forget(http, NAME) for _ in range(2)]
        again = await post(http, credential())
        guessed = await post(http, credential(name="Another"))
        ended = await end(http, NAME)
    assert [answer.status_code for answer in answers] == [202, 202]
    assert (again.status_code, again.json()["code"]) == (410, "credential-forgotten")
    assert guessed.json() == again.json(), "whether a guess was right is not told"
    assert ended.status_code == 200
    assert len(await desk.log(PostedCredentialForgotten)) == 1
    async with desk.database() as database, database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM posted_key") == 0


def passed_over(reason: str) -> float:
    """The counter of what the lane passed over."""
    return SKIPPED.labels(SIGN, reason)._value.get()


async def test_without_a_signer_the_desk_says_when_to_ask_again_and_then_answers(desk: Desk) -> None:
    await desk.tenant()
    answer, _ = await unsigned(desk)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    async with desk.house() as house, client(house, await desk.api_key("oslo")) as http:
        assert (await post(http, credential())).status_code == 201
    assert len(await desk.log(PostedCredentialIssued)) == 1


async def test_signing_again_after_a_crash_gives_the_same_bytes(desk: Desk) -> None:
    """A lane that died before its commit reads the intent again in another process; after it, for nothing."""
    await desk.tenant()
    _, intent = await unsigned(desk)
    ref = (intent.issuer_id, intent.event.credential_id)
    keys = PostedKeys(MasterKey.from_file(desk.settings.master_key_file))
    made = []
    for _ in range(2):
        async with opened(await desk.service()) as service:
            lane = next(each for each in service.subscriptions if each.name == SIGN)
            assert lane.prepare is not None
            (sealed,) = (await lane.prepare([intent])).values()
            async with service.database.connection() as connection:
                key = (await keys.of(connection, [ref]))[ref]
            made.append(opened_of(key, ref, intent.stream, sealed))
    assert made[0] == made[1]
    assert not await desk.log(PostedCredentialSigned)
    for _ in range(2):
        async with opened(await desk.service()) as service:
            await take(service, SIGN, [intent])
    (signed,) = await desk.log(PostedCredentialSigned)
    assert opened_of(key, ref, intent.stream, signed.event.sealed) == made[0]


async def test_what_ended_before_it_was_signed_is_never_signed(desk: Desk) -> None:
    await desk.tenant()
    (_, withdrawn), (_, forgotten) = await unsigned(desk), await unsigned(desk, id=f"{NAME}2")
    before = [passed_over(reason) for reason in ("forgotten", "ended-before-signing")]
    only_desk = desk.settings.model_dump() | {"only": "desk", "signing_database_url": None}
    async with (
        desk.house(settings=IssuerSettings.model_validate(only_desk)) as house,
        client(house, await desk.api_key("oslo")) as http,
    ):
        assert (await end(http, NAME)).status_code == 200
        assert (await forget(http, f"{NAME}2")).status_code == 202
    async with opened(await desk.service()) as service:
        await take(service, SIGN, [withdrawn, forgotten])
    assert not await desk.log(PostedCredentialSigned)
    after = [passed_over(reason) for reason in ("forgotten", "ended-before-signing")]
    assert after == [number + 1 for number in before]
    async with desk.house() as house, client(house, await desk.api_key("oslo")) as http:
        answer = await post(http, credential())
    assert (answer.status_code, answer.json()["code"]) == (410, "credential-withdrawn")
