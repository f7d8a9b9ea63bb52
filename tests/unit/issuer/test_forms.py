"""In which forms an issuer may be told to sign, and which key makes each at a moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

from services.issuer.forms import Forms, chosen_forms
from services.issuer.settings import TokenChoice
from shared.errors import Invalid, Unavailable
from shared.key_kinds import KeyKind
from shared.proofs.suites import SUITES
from tests.unit.issuer.test_key_rules import AT, DAY, NEW, OLD, key

HTTPS, HTTP = "https://badges.example.edu", "http://localhost:8080"
KINDS = {name: suite.key_kind for name, suite in SUITES.items()}
EDDSA_RDFC, EDDSA_JCS, ECDSA_RDFC = "eddsa-rdfc-2022", "eddsa-jcs-2022", "ecdsa-rdfc-2019"
P256, RSA = key("zDnOne", AT), key("z4MXOne", AT)


def chosen(*cryptosuites: str, tokens: tuple[str, ...] = (), public_url: str = HTTPS) -> Forms:
    return chosen_forms(cryptosuites, tokens, public_url, KINDS)


@pytest.mark.parametrize(
    ("cryptosuites", "tokens", "kinds"),
    [
        ((EDDSA_RDFC,), (), {KeyKind.ED25519}),
        ((EDDSA_RDFC, EDDSA_JCS), ("vc+jwt/EdDSA",), {KeyKind.ED25519}),
        ((ECDSA_RDFC,), ("vc+jwt/ES256", "ob-jwt/ES256"), {KeyKind.P256}),
        ((EDDSA_RDFC, ECDSA_RDFC), ("ob-jwt/RS256",), set(KeyKind)),
    ],
)
def test_the_chosen_forms_tell_the_kinds_of_keys_that_every_tenant_needs(
    cryptosuites: tuple[str, ...], tokens: tuple[str, ...], kinds: set[KeyKind]
) -> None:
    assert chosen(*cryptosuites, tokens=tokens).kinds == kinds


def test_every_token_that_the_settings_offer_is_understood() -> None:
    for choice in get_args(TokenChoice):
        forms = chosen(EDDSA_RDFC, tokens=(choice,))
        assert list(forms.tokens) == [choice.partition("/")[0]]


@pytest.mark.parametrize(
    ("cryptosuites", "tokens", "public_url", "code"),
    [
        (("eddsa-rot13-2022",), (), HTTPS, "cryptosuite-unknown"),
        ((EDDSA_JCS, EDDSA_JCS), (), HTTPS, "cryptosuite-unknown"),
        ((EDDSA_RDFC,), ("vc+jwt/EdDSA", "vc+jwt/ES256"), HTTPS, "token-form-twice"),
        ((EDDSA_RDFC, ECDSA_RDFC), (), HTTP, "forms-need-did-web"),
        ((ECDSA_RDFC,), (), HTTP, "forms-need-did-web"),
        ((EDDSA_RDFC,), ("ob-jwt/RS256",), HTTP, "forms-need-did-web"),
    ],
)
def test_forms_that_cannot_be_are_refused_when_they_are_chosen(
    cryptosuites: tuple[str, ...], tokens: tuple[str, ...], public_url: str, code: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        chosen(*cryptosuites, tokens=tokens, public_url=public_url)
    assert refusal.value.code == code
    if code == "forms-need-did-web":
        assert "https" in refusal.value.message


def test_an_issuer_that_is_a_did_key_signs_in_what_ed25519_keys_make() -> None:
    forms = chosen(EDDSA_RDFC, EDDSA_JCS, tokens=("vc+jwt/EdDSA",), public_url=HTTP)
    assert list(forms.plan([OLD], AT).tokens) == [("vc+jwt", OLD)]


def test_each_form_is_made_by_the_newest_key_of_its_kind() -> None:
    plan = chosen(EDDSA_RDFC, ECDSA_RDFC, tokens=("vc+jwt/ES256", "ob-jwt/RS256")).plan(
        [OLD, NEW, P256, RSA], AT
    )
    assert plan.proofs == ((EDDSA_RDFC, NEW), (ECDSA_RDFC, P256))
    assert plan.tokens == (("vc+jwt", P256), ("ob-jwt", RSA))
    assert plan.key_id == NEW.key_id
    assert [plan.named(each) for each in (NEW, P256)] == [None, P256.key_id]


def test_a_form_whose_key_is_not_there_or_waits_is_left_out_until_that_signs() -> None:
    forms = chosen(EDDSA_RDFC, ECDSA_RDFC, tokens=("ob-jwt/RS256",))
    waiting = [OLD, key("zDnNew", AT + DAY), key("z4MXNew", AT + 2 * DAY)]
    assert forms.plan([OLD], AT).proofs == forms.plan(waiting, AT).proofs == ((EDDSA_RDFC, OLD),)
    assert [name for name, _ in forms.plan(waiting, AT + DAY).proofs] == [EDDSA_RDFC, ECDSA_RDFC]
    assert forms.plan(waiting, AT + DAY).tokens == ()
    assert [name for name, _ in forms.plan(waiting, AT + 2 * DAY).tokens] == ["ob-jwt"]


def test_a_document_is_never_without_a_proof() -> None:
    forms = chosen(ECDSA_RDFC)
    waiting = key("zDnNew", AT + DAY)
    assert forms.plan([OLD, waiting], AT).proofs == ((EDDSA_RDFC, OLD),), "as before, while the new one waits"
    assert forms.plan([OLD, waiting], AT + DAY).proofs == ((ECDSA_RDFC, waiting),)
    assert chosen(EDDSA_JCS).plan([P256, key("z6MkNew", AT + DAY)], AT).proofs == ((ECDSA_RDFC, P256),)
    behind = AT - timedelta(seconds=1)
    assert chosen(EDDSA_JCS).plan([NEW], behind).proofs == ((EDDSA_JCS, NEW),), "this clock is behind"
    with pytest.raises(Unavailable):
        forms.plan([replace(waiting, retired_as="compromised")], AT)
