"""In which forms credentials and status lists are signed, and which key makes each, without I/O.

The operator chooses the forms (CRYPTOSUITES, TOKENS); every tenant needs a key of each kind that these take.
A form begins for a tenant when its key of that kind may sign: until then the others are made without it. An
embedded proof there always is, if need be by a suite that was not chosen.

Refused: a suite that is not there, a form twice, and forms of other kinds than Ed25519 where an issuer is a
did:key, which is one key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from services.issuer.key_rules import PublishedKey, first_to_sign, signing_key
from shared.contracts.credentials import TokenForm
from shared.errors import Invalid, Unavailable
from shared.key_kinds import KeyKind

_KINDS: Final = {"EdDSA": KeyKind.ED25519, "ES256": KeyKind.P256, "RS256": KeyKind.RSA}
_MEANWHILE: Final = {KeyKind.ED25519: "eddsa-rdfc-2022", KeyKind.P256: "ecdsa-rdfc-2019"}
"""What proves while no chosen suite has a key that may sign: for a day, when CRYPTOSUITES has changed."""


@dataclass(frozen=True, slots=True)
class SigningPlan:
    """What signs a thing that is begun now: at least one proof, and the tokens beside it."""

    proofs: tuple[tuple[str, PublishedKey], ...]
    tokens: tuple[tuple[TokenForm, PublishedKey], ...]

    @property
    def key_id(self) -> str:
        """The key that an event names; a proof or token by another names its own."""
        return self.proofs[0][1].key_id

    def named(self, key: PublishedKey) -> str | None:
        """The id of `key` where it has to be told beside `key_id`."""
        return None if key.key_id == self.key_id else key.key_id


@dataclass(frozen=True, slots=True)
class Forms:
    """The chosen suites and forms of tokens, each with the kind of key that it takes."""

    suites: Mapping[str, KeyKind]
    tokens: Mapping[TokenForm, KeyKind]

    @property
    def kinds(self) -> frozenset[KeyKind]:
        """The kinds of keys that a tenant needs."""
        return frozenset((*self.suites.values(), *self.tokens.values()))

    def plan(self, keys: Sequence[PublishedKey], at: datetime) -> SigningPlan:
        """What signs a tenant's credential that is begun at `at`. Raises Unavailable without any key."""
        able = {kind: key for kind in KeyKind if (key := signing_key(keys, at, kind)) is not None}
        proofs = [(suite, able[kind]) for suite, kind in self.suites.items() if kind in able]
        proofs = proofs or [(suite, able[kind]) for kind, suite in _MEANWHILE.items() if kind in able][:1]
        if not proofs:  # clocks differ: a tenant's first key was made a moment ahead of this one
            proofs = [
                (suite, key)
                for suite, kind in self.suites.items()
                if (key := first_to_sign(keys, kind)) is not None
            ]
        if not proofs:
            raise Unavailable("The issuer has no signing key for CRYPTOSUITES: start the signer with these.")
        tokens = [(form, able[kind]) for form, kind in self.tokens.items() if kind in able]
        return SigningPlan(tuple(proofs), tuple(tokens))


def chosen_forms(
    cryptosuites: Sequence[str],
    tokens: Sequence[str],
    public_url: str,
    kinds: Mapping[str, KeyKind],
) -> Forms:
    """The forms that the settings name; `kinds` tells the kind of key of every suite there is.

    `tokens` are form and algorithm, such as `vc+jwt/ES256`.

    Raises Invalid if CRYPTOSUITES names a suite twice or one that is not there, TOKENS a form twice, or if
    the issuers of `public_url` cannot have the keys.
    """
    if len(set(cryptosuites) & kinds.keys()) < len(cryptosuites):
        raise Invalid("cryptosuite-unknown", "CRYPTOSUITES names a suite that is not there, or one twice.")
    pairs = [choice.split("/") for choice in tokens]
    forms = Forms(
        {suite: kinds[suite] for suite in cryptosuites},
        {cast(TokenForm, form): _KINDS[algorithm] for form, algorithm in pairs},
    )
    if len(forms.tokens) < len(tokens):
        raise Invalid(
            "token-form-twice",
            "TOKENS names a form twice; a credential's address has one token of each form.",
        )
    if not public_url.startswith("https://") and forms.kinds != {KeyKind.ED25519}:
        raise Invalid(
            "forms-need-did-web",
            "With an http PUBLIC_URL an issuer is a did:key, which is its one Ed25519 key, and CRYPTOSUITES"
            " or TOKENS name what other keys sign. Leave out ecdsa-rdfc-2019, ES256 and RS256, or set an"
            " https PUBLIC_URL.",
        )
    return forms
