"""What may come between: erasure, revocation, redelivery, a strange key, a bad document."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from services.issuer.handlers.proving import SelfVerificationError
from services.issuer.handlers.revoke import Revoke
from services.issuer.handlers.signing_keys import SigningKeys
from services.issuer.handlers.skips import SKIPPED
from services.issuer.store import KeyRef
from shared import clock, telemetry
from shared.contracts.credentials import CredentialIssued, CredentialRevoked, CredentialSigned
from shared.database import Database
from shared.errors import Invalid, StaleStream, Unavailable
from shared.eventstore import Append, Recorded, Session
from shared.keys import EphemeralSigner, Signer
from shared.proofs.public_keys import PublicKey
from shared.sealing import MasterKey
from shared.service import Service
from tests.integration.issuer.conftest import META, SETTLE_WAIT_S, Desk, client, opened, take
from tests.unit.issuer.samples import ASSESSMENT

ISSUE, SIGN = "issuer.issue", "issuer.sign"


def passed_over(lane: str, reason: str) -> float:
    """The counter of what a lane passed over."""
    return SKIPPED.labels(lane, reason)._value.get()


async def issued(desk: Desk, service: Service) -> list[Recorded]:
    """Issue whatever was passed, and return the intents."""
    await take(service, ISSUE, await desk.passed())
    return await desk.log(CredentialIssued)


async def test_a_learner_who_was_erased_before_issuing_gets_no_credential(desk: Desk) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement()
    erased, kept = await desk.learner(), await desk.learner()
    await desk.passes(erased, achievement_id, "a-1")
    await desk.passes(kept, achievement_id, "a-2")
    await desk.erase(erased)
    before = passed_over(ISSUE, "learner-erased")
    async with opened(await desk.service()) as service:
        (intent,) = await issued(desk, service)
    assert intent.event.learner_id == kept.id
    assert passed_over(ISSUE, "learner-erased") == before + 1


async def test_a_learner_who_was_erased_between_issuing_and_signing_is_passed_over(desk: Desk) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement()
    erased, kept = await desk.learner(), await desk.learner()
    await desk.passes(erased, achievement_id, "a-1")
    await desk.passes(kept, achievement_id, "a-2")
    async with opened(await desk.service()) as service:
        intents = await issued(desk, service)
    await desk.erase(erased)
    before = passed_over(SIGN, "learner-erased")
    async with opened(await desk.service()) as fresh:
        await take(fresh, SIGN, intents)
    (signed,) = await desk.log(CredentialSigned)
    assert signed.event.learner_id == kept.id
    assert passed_over(SIGN, "learner-erased") == before + 1


async def test_erasure_reaches_a_running_issuer_and_its_page_is_gone(desk: Desk) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement()
    learner = await desk.learner()
    await desk.passes(learner, achievement_id, "a-1")
    async with desk.house() as house, client(house) as http:
        await house.settled(SETTLE_WAIT_S)
        (signed,) = await desk.log(CredentialSigned)
        address = f"/credentials/{signed.event.credential_id}"
        assert (await http.get(address)).status_code == 200
        await desk.erase(learner)
        await house.settled(SETTLE_WAIT_S)
        page = await http.get(address)
    assert page.status_code == 410
    assert page.json()["code"] == "credential-erased"


async def test_a_credential_that_was_revoked_before_it_was_signed_is_not_signed(desk: Desk) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement()
    await desk.passes(await desk.learner(), achievement_id, "a-1")
    before = passed_over(SIGN, "revoked-before-signing")
    async with opened(await desk.service()) as service:
        intents = await issued(desk, service)
        revoke = Revoke(service.database)
        await revoke("oslo", intents[0].event.credential_id, "issued-in-error", META)
        await take(service, SIGN, intents)
    assert not await desk.log(CredentialSigned)
    assert passed_over(SIGN, "revoked-before-signing") == before + 1
    async with desk.house() as house, client(house) as http:
        page = await http.get(f"/credentials/{intents[0].event.credential_id}")
    assert (page.status_code, page.json()["code"]) == (410, "credential-withdrawn")


async def test_a_revocation_in_the_very_moment_of_signing_wins_or_loses_whole(desk: Desk) -> None:
    """It commits after the signing transaction read the stream: the append finds the stream moved on."""
    await desk.tenant()
    achievement_id = await desk.achievement()
    await desk.passes(await desk.learner(), achievement_id, "a-1")
    async with opened(await desk.service()) as service:
        intents = await issued(desk, service)
        revoke = Revoke(service.database)

        class Interrupted(Session):
            async def append(self, appends: list[Append]) -> list[Recorded]:  # type: ignore[override]
                await revoke("oslo", intents[0].event.credential_id, "misconduct", META)
                return await super().append(appends)

        signing = next(each for each in service.subscriptions if each.name == SIGN)
        assert signing.prepare is not None
        prepared = await signing.prepare(intents)
        with pytest.raises(StaleStream):
            async with service.database.session() as session:
                await signing.handle(intents, Interrupted(session.connection, session.at), prepared)
        await take(service, SIGN, intents)
    kinds = [each.event.TYPE for each in await desk.stream("oslo", intents[0].stream)]
    assert kinds == [CredentialIssued.TYPE, CredentialRevoked.TYPE]


async def test_a_redelivered_assessment_or_intent_changes_nothing(desk: Desk) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement()
    await desk.passes(await desk.learner(), achievement_id, "a-1")
    async with opened(await desk.service()) as service:
        intents = await issued(desk, service)
        await take(service, SIGN, intents)
        everything = await desk.log()
        await take(service, ISSUE, await desk.passed())
        await take(service, SIGN, intents)
    assert await desk.log() == everything


async def test_signing_again_after_a_crash_makes_the_same_bytes(desk: Desk) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement()
    await desk.passes(await desk.learner(), achievement_id, "a-1")
    settings = desk.settings.model_copy(update={"cryptosuites": ("eddsa-rdfc-2022", "eddsa-jcs-2022")})
    async with opened(await desk.service(settings=settings)) as service:
        intents = await issued(desk, service)
        signing = next(each for each in service.subscriptions if each.name == SIGN)
        assert signing.prepare is not None
        first = await signing.prepare(intents)
    async with opened(await desk.service()) as another:  # set to one suite by now: the intent decides
        signing = next(each for each in another.subscriptions if each.name == SIGN)
        assert signing.prepare is not None
        second = await signing.prepare(intents)
    assert {key: value.proofs for key, value in first.items()} == {
        key: value.proofs for key, value in second.items()
    }
    (made,) = first.values()
    (again,) = second.values()
    assert made.document_sha256 == again.document_sha256
    assert [proof.cryptosuite for proof in made.proofs] == ["eddsa-rdfc-2022", "eddsa-jcs-2022"]


async def test_two_issuers_with_one_assessment_id_have_two_credentials(desk: Desk) -> None:
    credentials = []
    for slug in ("oslo", "bergen"):
        await desk.tenant(slug)
        achievement_id = await desk.achievement(slug)
        await desk.passes(await desk.learner(slug), achievement_id, "same", slug=slug)
    keys = {slug: await desk.api_key(slug) for slug in ("oslo", "bergen")}
    async with desk.house() as house:
        await house.settled(SETTLE_WAIT_S)
        for slug in ("oslo", "bergen"):
            async with client(house, keys[slug]) as http:
                (found,) = (await http.get("/issuer/credentials?assessment_id=same")).json()["credentials"]
                credentials.append(found["credential_id"])
        assert credentials[0] != credentials[1]
        async with client(house, keys["bergen"]) as http:
            stolen = f"/issuer/credentials/{credentials[0]}"
            assert (await http.get(stolen)).status_code == 404
            answer = await http.post(f"{stolen}/revoke", json={"reason": "misconduct"})
            assert answer.status_code == 404
    assert not await desk.log(CredentialRevoked)


class StrangeKeys(SigningKeys):
    """Holds other keys than were published."""

    async def of(self, keys: Iterable[KeyRef]) -> dict[KeyRef, Signer]:
        return {key: EphemeralSigner() for key in keys}


async def test_a_signature_by_another_key_than_was_published_never_gets_out(desk: Desk) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement()
    await desk.passes(await desk.learner(), achievement_id, "a-1")
    async with desk.keys(StrangeKeys) as strange, opened(await desk.service(signing_keys=strange)) as service:
        intents = await issued(desk, service)
        with pytest.raises(SelfVerificationError):
            await take(service, SIGN, intents)
    assert not await desk.log(CredentialSigned)


@dataclass
class CountingSigner:
    """A real signer that counts what it signs."""

    inner: Signer
    signed: list[bytes] = field(default_factory=list)

    @property
    def public_key(self) -> PublicKey:
        return self.inner.public_key

    def sign(self, messages: Iterable[bytes]) -> list[bytes]:
        self.signed += messages
        return self.inner.sign(list(messages))


class CountingKeys(SigningKeys):
    """The real keys, counted."""

    def __init__(self, database: Database, master_key: MasterKey) -> None:
        super().__init__(database, master_key)
        self.signers: list[CountingSigner] = []

    async def of(self, keys: Iterable[KeyRef]) -> dict[KeyRef, Signer]:
        found = {key: CountingSigner(signer) for key, signer in (await super().of(keys)).items()}
        self.signers += found.values()
        return dict(found)


async def test_what_lint_refuses_is_never_signed_and_costs_the_others_nothing(desk: Desk) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement()
    borrowed = f"{desk.settings.public_url}/achievements/{achievement_id}/1"
    link = replace(ASSESSMENT.evidence[0], url=borrowed)
    poison = replace(ASSESSMENT, evidence=(link,))
    await desk.passes(await desk.learner(), achievement_id, "good-1")
    await desk.passes(await desk.learner(), achievement_id, "bad", assessment=poison)
    await desk.passes(await desk.learner(), achievement_id, "good-2")
    async with desk.keys(CountingKeys) as keys, opened(await desk.service(signing_keys=keys)) as service:
        intents = await issued(desk, service)
        bad = next(each for each in intents if each.event.assessment_id == "bad")
        with pytest.raises(Invalid) as refusal:
            await take(service, SIGN, intents)
        assert refusal.value.code == "document-refused"
        assert not [message for signer in keys.signers for message in signer.signed]
    async with desk.house() as house, desk.database() as database:
        await house.settled(SETTLE_WAIT_S)
        async with database.connection() as connection:
            letters = await connection.fetch("SELECT consumer, key, state FROM dead_letter")
    assert [tuple(row) for row in letters] == [(SIGN, f"oslo/{bad.stream}", "buried")]
    assert len(await desk.log(CredentialSigned)) == 2


async def test_a_wrong_master_key_is_nobodys_record_to_blame(desk: Desk, tmp_path: Path) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement()
    await desk.passes(await desk.learner(), achievement_id, "a-1")
    async with opened(await desk.service()) as service:
        intents = await issued(desk, service)
    MasterKey.create_file(tmp_path / "other.key")
    settings = desk.settings.model_copy(update={"master_key_file": tmp_path / "other.key"})
    async with opened(await desk.service(settings=settings)) as service:
        with pytest.raises(Unavailable):
            await take(service, ISSUE, await desk.passed())
        with pytest.raises(Unavailable):
            await take(service, SIGN, intents)
    desk.settings = settings
    async with desk.keys(SigningKeys) as keys:
        with pytest.raises(Unavailable):
            await keys.of([("oslo", intents[0].event.key_id)])


def journeys(name: str) -> tuple[float, float]:
    """(number, seconds in all) of the journeys that were measured."""
    samples = {
        sample.name: sample.value
        for metric in telemetry.END_TO_END_SECONDS.collect()
        for sample in metric.samples
        if sample.labels["journey"] == name and not sample.name.endswith("_bucket")
    }
    return (
        samples.get("microcred_end_to_end_seconds_count", 0.0),
        samples.get("microcred_end_to_end_seconds_sum", 0.0),
    )


async def test_the_way_from_assessment_to_signature_is_measured_from_the_event_not_the_word(
    desk: Desk,
) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement()
    long_ago = clock.now() - timedelta(days=365)
    await desk.passes(await desk.learner(), achievement_id, "a-1", assessed_at=long_ago)
    number, seconds = journeys("assessed-to-signed")
    lists, _ = journeys("revoked-to-published")
    async with desk.house() as house:
        await house.settled(SETTLE_WAIT_S)
        (signed,) = await desk.log(CredentialSigned)
        await Revoke(house.services[0].database)("oslo", signed.event.credential_id, "misconduct", META)
        await house.settled(SETTLE_WAIT_S)
    after, seconds_after = journeys("assessed-to-signed")
    assert after == number + 1
    assert 0 <= seconds_after - seconds < SETTLE_WAIT_S
    assert journeys("revoked-to-published")[0] == lists + 1


async def test_an_event_of_an_unknown_issuer_is_refused(desk: Desk) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement()
    learner = await desk.learner("nobody")
    await desk.passes(learner, achievement_id, "a-1", slug="nobody")
    async with desk.house() as house, desk.database() as database:
        await house.settled(SETTLE_WAIT_S)
        async with database.connection() as connection:
            (letter,) = await connection.fetch("SELECT error FROM dead_letter")
    assert "issuer-unknown" in letter["error"]
