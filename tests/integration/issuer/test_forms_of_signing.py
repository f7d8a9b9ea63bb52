"""An issuer that signs in every form: each proof and token verifies, is shown on request, and stays good."""

from __future__ import annotations

import hashlib
import warnings
from typing import Any

import orjson
import pytest
from httpx2 import Response
from joserfc import jws as joserfc_jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from services.issuer.handlers.list_upkeep import RefreshLists
from services.issuer.handlers.rotation import retire_signing_key, rotate_signing_key
from services.issuer.settings import IssuerSettings
from services.verifier.domain.verdict import Result
from services.verifier.offline import verify_file
from shared import clock
from shared.contracts.credentials import CredentialIssued, CredentialSigned
from shared.contracts.issuers import IssuerKeyPublished
from shared.contracts.status_lists import StatusListPublished
from shared.key_kinds import KeyKind
from shared.proofs import base64url, jwk, multikey
from tests.integration.issuer.conftest import SETTLE_WAIT_S, Desk, client, opened, take
from tests.integration.issuer.test_issuer_status_lists import publisher
from tests.integration.issuer.test_signing_keys_over_time import AGAIN, DAY, a_day_later, keys, pass_one
from tests.softhsm import SoftToken
from tests.unit.issuer.samples import EMAIL, NAME

SUITES_ON = ("eddsa-rdfc-2022", "eddsa-jcs-2022", "ecdsa-rdfc-2019")
VC_JWT, OB_JWT = "application/vc+jwt", "application/jwt"
ALGORITHMS = {
    ("vc+jwt/EdDSA", "ob-jwt/ES256"): {VC_JWT: "EdDSA", OB_JWT: "ES256"},
    ("vc+jwt/ES256", "ob-jwt/RS256"): {VC_JWT: "ES256", OB_JWT: "RS256"},
}
HEADER_CHARS_MAX = 2_048
"""joserfc reads headers of 512 characters unless told otherwise; that of RS256 holds the key."""
EVERY_KIND = ("vc+jwt/ES256", "ob-jwt/RS256")


def with_forms(
    settings: IssuerSettings, tokens: tuple[str, ...] = EVERY_KIND, cryptosuites: tuple[str, ...] = SUITES_ON
) -> IssuerSettings:
    """The same issuer, told to sign in these forms."""
    return IssuerSettings.model_validate(
        settings.model_dump() | {"cryptosuites": cryptosuites, "tokens": tokens}
    )


async def issue_one(desk: Desk, name: str = "a-1") -> str:
    """A learner passes, and the issuer does its work; returns the credential's id."""
    await desk.passes(await desk.learner(), await desk.achievement(definition=AGAIN), name)
    async with desk.house() as house:
        await house.settled(SETTLE_WAIT_S)
    event = (await desk.log(CredentialSigned))[-1].event
    assert isinstance(event, CredentialSigned)
    return event.credential_id


async def fetched(desk: Desk, address: str, *accepts: str) -> list[Response]:
    """The answers at an address to these Accept headers."""
    async with desk.house() as house, client(house) as http:
        return [await http.get(address, headers={"Accept": accept}) for accept in accepts]


async def did_document(desk: Desk) -> bytes:
    (answer,) = await fetched(desk, "/issuers/oslo/did.json", "application/did+json")
    return answer.content


async def is_valid(desk: Desk, content: bytes, did_json: bytes) -> bool:
    """Whether our verifier calls it valid, with the newest status list."""
    newest = (await desk.log(StatusListPublished))[-1].event
    assert isinstance(newest, StatusListPublished)
    verdict = await verify_file(
        content, status_list=newest.credential.encode(), did_document=did_json, at=clock.now()
    )
    return verdict.result is Result.VALID


def header(token: Response) -> Any:
    """The header of a token."""
    return orjson.loads(base64url.decode(token.text.partition(".")[0]))


def opened_by_joserfc(token: bytes, did_json: bytes) -> Any:
    """The payload, verified by joserfc with the key that the DID document has under the token's `kid`."""
    named = orjson.loads(base64url.decode(token.decode().partition(".")[0]))
    methods = {each["id"]: each for each in orjson.loads(did_json)["verificationMethod"]}
    method = methods[named["kid"]]
    value: Any = method.get("publicKeyJwk") or jwk.encode(
        multikey.decode_public_key(method["publicKeyMultibase"])
    )
    key: Any = {"OKP": OKPKey, "EC": ECKey, "RSA": RSAKey}[value["kty"]]
    registry = joserfc_jws.JWSRegistry(algorithms=[named["alg"]])
    registry.max_header_length = HEADER_CHARS_MAX
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the older name of Ed25519
        read = joserfc_jws.deserialize_compact(token.decode(), key.import_key(value), registry=registry)
    return orjson.loads(read.payload)


@pytest.mark.parametrize("tokens", ALGORITHMS, ids=" ".join)
async def test_every_proof_and_token_of_a_credential_verifies_and_tells_the_same(
    desk: Desk, tokens: tuple[str, ...]
) -> None:
    desk.settings = with_forms(desk.settings, tokens)
    await desk.tenant()
    address = f"/credentials/{await issue_one(desk)}"
    document, vc_jwt, ob_jwt, plain = await fetched(desk, address, "*/*", VC_JWT, OB_JWT, "text/plain")
    did_json = await did_document(desk)
    assert [proof["cryptosuite"] for proof in document.json()["proof"]] == list(SUITES_ON)
    for answer in (document, vc_jwt, ob_jwt):
        assert await is_valid(desk, answer.content, did_json)
    assert plain.content == ob_jwt.content
    assert plain.headers["content-type"].startswith("text/plain")
    bare = {name: value for name, value in document.json().items() if name != "proof"}
    (signed,) = await desk.log(CredentialSigned)
    (intent,) = await desk.log(CredentialIssued)
    assert isinstance(signed.event, CredentialSigned)
    assert isinstance(intent.event, CredentialIssued)
    for answer, made in zip((vc_jwt, ob_jwt), signed.event.tokens, strict=True):
        media = answer.headers["content-type"]
        assert (
            orjson.loads(base64url.decode(answer.text.partition(".")[0]))["alg"] == ALGORITHMS[tokens][media]
        )
        payload = opened_by_joserfc(answer.content, did_json)
        assert {name: payload[name] for name in bare} == bare
        assert payload["iat"] == int(intent.event.created.timestamp()), "by which a retired key is judged"
        assert made.sha256 == hashlib.sha256(answer.content).hexdigest()
        assert NAME.encode() not in base64url.decode(answer.text.split(".")[1])
        assert EMAIL.encode() not in base64url.decode(answer.text.split(".")[1])
        changed = answer.content.replace(b".", b".e", 1)
        assert not await is_valid(desk, changed, did_json)
    assert payload["sub"] == f"{bare['id']}#subject", "a place in the credential, which nobody else has"


async def test_a_form_that_was_not_made_is_refused_only_where_nothing_else_will_do(desk: Desk) -> None:
    await desk.tenant()
    address = f"/credentials/{await issue_one(desk)}"
    browser = "text/html,application/xhtml+xml,*/*;q=0.8"
    either = f"{VC_JWT}, application/json;q=0.1"
    answers = await fetched(desk, address, VC_JWT, "text/plain", either, browser, "image/png")
    assert [answer.status_code for answer in answers] == [406, 406, 200, 200, 200]
    assert answers[0].headers["content-type"] == "application/problem+json"
    assert answers[0].json()["code"] == "form-not-made"
    assert answers[2].headers["content-type"] == "application/json"
    assert {"iss", "sub", "iat"}.isdisjoint(answers[3].json())
    assert "id" not in answers[3].json()["credentialSubject"]


async def test_json_is_the_answer_wherever_a_token_is_not_preferred(desk: Desk) -> None:
    desk.settings = with_forms(desk.settings)
    await desk.tenant()
    address = f"/credentials/{await issue_one(desk)}"
    everyday = "application/json, text/plain, */*"
    answers = await fetched(desk, address, everyday, "*/*", f"{OB_JWT};q=0.5, application/json;q=0.4")
    assert [answer.headers["content-type"] for answer in answers] == [
        "application/vc+ld+json",
        "application/vc+ld+json",
        OB_JWT,
    ]
    assert {answer.headers["vary"] for answer in answers} == {"Accept"}


async def test_signing_again_after_a_crash_makes_the_same_tokens_whatever_happened_meanwhile(
    desk: Desk,
) -> None:
    plain, desk.settings = desk.settings, with_forms(desk.settings)
    await desk.tenant()
    async with opened(await desk.service()) as service:
        await take(service, "issuer.issue", [await pass_one(desk, await desk.achievement(), "a-1")])
        intents = await desk.log(CredentialIssued)
        signing = next(each for each in service.subscriptions if each.name == "issuer.sign")
        assert signing.prepare is not None
        (first,) = (await signing.prepare(intents)).values()
    async with desk.database() as database:
        for kind in KeyKind:
            await rotate_signing_key(database, desk.settings, "oslo", kind, at_once=True)
    async with opened(await desk.service(settings=plain)) as another:
        signing = next(each for each in another.subscriptions if each.name == "issuer.sign")
        assert signing.prepare is not None
        (second,) = (await signing.prepare(intents)).values()
    assert len(first.tokens) == 2
    assert (first.proofs, first.tokens, first.document_sha256) == (
        second.proofs,
        second.tokens,
        second.document_sha256,
    )


async def test_a_form_that_is_switched_on_begins_when_its_key_was_published_for_a_day(
    desk: Desk,
) -> None:
    await desk.tenant()
    desk.settings = with_forms(desk.settings)
    before = await issue_one(desk, "before")
    published = [each.event for each in await desk.log(IssuerKeyPublished)]
    waits = [each for each in published if isinstance(each, IssuerKeyPublished) and each.published_at]
    assert [each.kind for each in await keys(desk)] == [KeyKind.ED25519, KeyKind.P256, KeyKind.RSA]
    assert [each.valid_from - (each.published_at or each.valid_from) for each in waits] == [0 * DAY, DAY, DAY]
    await a_day_later(desk)
    after = await issue_one(desk, "after")  # and this start finds nothing missing
    assert len(await desk.log(IssuerKeyPublished)) == 3
    (early,) = await fetched(desk, f"/credentials/{before}", "*/*")
    (late,) = await fetched(desk, f"/credentials/{after}", "*/*")
    assert [proof["cryptosuite"] for proof in early.json()["proof"]] == list(SUITES_ON[:2])
    assert [proof["cryptosuite"] for proof in late.json()["proof"]] == list(SUITES_ON)
    refused, made = (
        await fetched(desk, f"/credentials/{before}", OB_JWT),
        await fetched(desk, f"/credentials/{after}", OB_JWT),
    )
    assert [refused[0].status_code, made[0].status_code] == [406, 200]


@pytest.mark.parametrize("kind", [KeyKind.P256, KeyKind.RSA])
async def test_a_rotated_key_takes_over_and_what_the_old_one_signed_stays_good(
    desk: Desk, kind: KeyKind
) -> None:
    desk.settings = with_forms(desk.settings)
    await desk.tenant()
    media = OB_JWT if kind is KeyKind.RSA else VC_JWT
    old_id = await issue_one(desk, "old")
    async with desk.database() as database:
        (old,) = [key for key in await keys(desk) if key.kind is kind]
        new = await rotate_signing_key(database, desk.settings, "oslo", kind, at_once=True)
        await retire_signing_key(database, "oslo", old.name, "superseded")
    new_id = await issue_one(desk, "new")
    did_json = await did_document(desk)
    for credential_id, key in ((old_id, old), (new_id, new)):
        document, token = await fetched(desk, f"/credentials/{credential_id}", "*/*", media)
        assert header(token)["kid"] == key.key_id
        assert await is_valid(desk, token.content, did_json)
        assert await is_valid(desk, document.content, did_json)
        assert opened_by_joserfc(token.content, did_json)
    assert len(key.name) < 60, "short enough to be typed"


async def test_a_list_is_published_anew_if_any_of_its_keys_was_compromised(desk: Desk) -> None:
    desk.settings = with_forms(desk.settings)
    await desk.tenant()
    async with desk.database() as database:
        (lost,) = [key for key in await keys(desk) if key.kind is KeyKind.P256]
        new = await rotate_signing_key(database, desk.settings, "oslo", KeyKind.P256, at_once=True)
        async with opened(await desk.service()) as service:
            refreshing = RefreshLists(service.database, publisher(service)._lists, 0 * DAY, 60.0)
            assert await refreshing.turn() == 0
            await retire_signing_key(database, "oslo", lost.name, "compromised")
            assert await refreshing.turn() == 1
            assert await refreshing.turn() == 0
    newest = (await desk.log(StatusListPublished))[-1].event
    assert isinstance(newest, StatusListPublished)
    assert orjson.loads(newest.credential)["proof"][-1]["verificationMethod"] == new.key_id


@pytest.mark.softhsm
async def test_keys_of_every_kind_sign_on_a_token(desk: Desk, soft_token: SoftToken) -> None:
    settings = with_forms(desk.settings)
    desk.settings = IssuerSettings.model_validate(settings.model_dump() | soft_token.settings())
    await desk.tenant()
    address = f"/credentials/{await issue_one(desk)}"
    did_json = await did_document(desk)
    for answer in await fetched(desk, address, "*/*", VC_JWT, OB_JWT):
        assert await is_valid(desk, answer.content, did_json)


async def test_p256_alone_signs_credentials_and_lists(desk: Desk) -> None:
    desk.settings = with_forms(desk.settings, (), ("ecdsa-rdfc-2019",))
    await desk.tenant()
    assert [key.kind for key in await keys(desk)] == [KeyKind.P256]
    (document,) = await fetched(desk, f"/credentials/{await issue_one(desk)}", "*/*")
    assert await is_valid(desk, document.content, await did_document(desk))
