"""Which cryptosuites an issuer may be told to prove with."""

from __future__ import annotations

import pytest

from services.issuer.handlers.proving import refuse_unusable_suites
from shared.errors import Invalid
from shared.proofs.suites import SUITES


@pytest.mark.parametrize(
    "chosen", [("eddsa-rdfc-2022",), ("eddsa-jcs-2022",), ("eddsa-rdfc-2022", "eddsa-jcs-2022")]
)
def test_an_issuer_proves_with_either_eddsa_suite_or_with_both(chosen: tuple[str, ...]) -> None:
    refuse_unusable_suites(chosen, SUITES)


@pytest.mark.parametrize(
    ("chosen", "code"),
    [
        (("eddsa-rot13-2022",), "cryptosuite-unknown"),
        (("eddsa-jcs-2022", "eddsa-jcs-2022"), "cryptosuite-unknown"),
        (("eddsa-jcs-2022", "ecdsa-rdfc-2019"), "cryptosuite-key"),
    ],
)
def test_a_suite_that_the_issuers_key_is_not_for_is_refused(chosen: tuple[str, ...], code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        refuse_unusable_suites(chosen, SUITES)
    assert refusal.value.code == code
