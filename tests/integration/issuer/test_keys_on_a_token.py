"""An issuer whose signing keys are on a PKCS#11 token, beside older ones in envelopes."""

from __future__ import annotations

import pytest

from services.issuer.handlers.rotation import custody_of_keys, list_signing_keys, rotate_signing_key
from services.issuer.handlers.signing_keys import open_keys
from services.issuer.settings import IssuerSettings
from shared.contracts.credentials import CredentialIssued, CredentialSigned
from shared.contracts.status_lists import StatusListPublished
from shared.errors import Unavailable
from tests.integration.issuer.conftest import SETTLE_WAIT_S, Desk, opened, take
from tests.softhsm import SoftToken

pytestmark = pytest.mark.softhsm


@pytest.fixture
def token_settings(desk: Desk, soft_token: SoftToken) -> IssuerSettings:
    """The issuer's settings with the token."""
    return IssuerSettings.model_validate(desk.settings.model_dump() | soft_token.settings())


async def test_a_tenant_is_made_with_a_key_on_the_token_and_its_credentials_are_signed_there(
    desk: Desk, token_settings: IssuerSettings
) -> None:
    desk.settings = token_settings
    await desk.tenant()
    async with await open_keys(desk.settings) as signing, signing.connection() as connection:
        (row,) = await connection.fetch("SELECT custody, envelope, token_object FROM signing_key")
    assert (row["custody"], row["envelope"], len(row["token_object"])) == ("pkcs11", None, 16)
    await desk.passes(await desk.learner(), await desk.achievement(), "a-1")
    async with desk.house() as house:  # whoever signs verifies with the published key before it is stored
        await house.settled(SETTLE_WAIT_S)
    assert len(await desk.log(CredentialSigned)) == 1
    assert len(await desk.log(StatusListPublished)) == 1


async def test_a_rotation_leads_from_an_envelope_to_the_token_and_both_sign_what_names_them(
    desk: Desk, token_settings: IssuerSettings
) -> None:
    await desk.tenant()
    achievement_id = await desk.achievement()
    await desk.passes(await desk.learner(), achievement_id, "a-1")
    async with opened(await desk.service()) as service:
        await take(service, "issuer.issue", await desk.passed())
    async with desk.database() as database:
        await rotate_signing_key(database, token_settings, "oslo", at_once=True)
        keys = await list_signing_keys(database, "oslo")
    assert await custody_of_keys(token_settings, "oslo", keys) == {
        keys[0].key_id: "envelope",
        keys[1].key_id: "pkcs11",
    }
    await desk.passes(await desk.learner(), achievement_id, "a-2")
    async with desk.house(settings=token_settings) as house:
        await house.settled(SETTLE_WAIT_S)
    signed = [each.event for each in await desk.log(CredentialSigned)]
    assert {each.key_id for each in signed if isinstance(each, CredentialSigned)} == {
        key.key_id for key in keys
    }


async def test_without_the_token_its_keys_wait_and_no_record_is_blamed(
    desk: Desk, token_settings: IssuerSettings
) -> None:
    without, desk.settings = desk.settings, token_settings
    await desk.tenant()
    await desk.passes(await desk.learner(), await desk.achievement(), "a-1")
    async with opened(await desk.service(settings=without)) as service:
        await take(service, "issuer.issue", await desk.passed())
        with pytest.raises(Unavailable, match="PKCS11_MODULE"):
            await take(service, "issuer.sign", await desk.log(CredentialIssued))


def test_a_token_is_described_whole_and_never_to_the_desk(desk: Desk, soft_token: SoftToken) -> None:
    described = desk.settings.model_dump() | soft_token.settings()
    for missing in soft_token.settings():
        with pytest.raises(ValueError, match="go together"):
            IssuerSettings.model_validate(described | {missing: None})
    with pytest.raises(ValueError, match="must not be set for the desk"):
        IssuerSettings.model_validate(described | {"only": "desk", "signing_database_url": None})
