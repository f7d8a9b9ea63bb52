"""Tokens of a credential: made from the intent alone, and kept in unless the published key verifies them."""

from __future__ import annotations

from typing import Any

import pytest

from services.issuer.documents.credential import CredentialFacts, render_credential
from services.issuer.documents.tokens import token_bytes
from services.issuer.handlers.proving import Draft, SelfVerificationError
from services.issuer.handlers.token_signing import sign_tokens, unsigned_tokens
from shared.contracts.credentials import PlannedToken
from shared.errors import Invalid
from shared.key_kinds import KeyKind
from shared.keys import EphemeralSigner, Signer
from shared.proofs import jws, vc_jwt
from tests.unit.issuer.samples import DID, FACTS

KEY_ID = f"{DID}#zDnTest"
KEY = ("oslo", KEY_ID)
P256 = EphemeralSigner(KeyKind.P256)


def drafted(renderer: int = 2, **changes: Any) -> tuple[CredentialFacts, Draft]:
    """A credential that is planned as a token of Open Badges and as one of VC-JOSE-COSE."""
    tokens = (PlannedToken(form="ob-jwt", key_id=KEY_ID), PlannedToken(form="vc+jwt", key_id=KEY_ID))
    facts = FACTS._replace(issued=FACTS.issued.model_copy(update={"tokens": tokens} | changes))
    return facts, Draft(render_credential(renderer, facts), (), "oslo", {KEY: P256.public_key})


async def test_a_token_is_its_document_and_what_is_recorded_gives_it_back() -> None:
    facts, draft = drafted()
    unsigned = unsigned_tokens(facts, draft)
    (made,) = await sign_tokens({KEY: P256}, [draft], [unsigned])
    assert [token.form for token in made] == ["ob-jwt", "vc+jwt"]
    for token, each in zip(made, unsigned, strict=True):
        read = vc_jwt.read(token_bytes(each.signed, token).decode())
        assert jws.verify(read.token, P256.public_key)
        assert (read.document, read.verification_method) == (draft.document, KEY_ID)
        assert read.signed_at == facts.issued.created.replace(microsecond=0)
    assert await sign_tokens({KEY: P256}, [draft], [unsigned_tokens(facts, draft)]) == [made]


@pytest.mark.parametrize("kind", [KeyKind.P256, KeyKind.ED25519])
async def test_a_signer_with_another_key_than_was_published_gets_nothing_out(kind: KeyKind) -> None:
    facts, draft = drafted()
    stranger: Signer = EphemeralSigner(kind)
    with pytest.raises(SelfVerificationError):
        await sign_tokens({KEY: stranger}, [draft], [unsigned_tokens(facts, draft)])


def test_what_an_open_badges_token_cannot_hold_is_refused_before_a_key_is_touched() -> None:
    facts, draft = drafted(renderer=1)  # whose subject has no id
    with pytest.raises(Invalid, match="token-malformed"):
        unsigned_tokens(facts, draft)


async def test_a_credential_without_tokens_asks_for_no_signature() -> None:
    facts, draft = drafted(tokens=())
    assert await sign_tokens({}, [draft], [unsigned_tokens(facts, draft)]) == [()]
