"""What the issuer needs to know besides what every service does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import AliasChoices, Field, SecretStr, model_validator

from shared.settings import KeyHolderSettings

TokenChoice = Literal["vc+jwt/EdDSA", "vc+jwt/ES256", "ob-jwt/ES256", "ob-jwt/RS256"]

KEY_OVERLAP_S_MIN = 86_400
"""A day: for that long others may keep a DID document."""


class IssuerSettings(KeyHolderSettings):
    """Settings of the issuer."""

    database_url: SecretStr = Field(
        validation_alias=AliasChoices("ISSUER_DATABASE_URL", "database_url"),
        description="PostgreSQL as the role `issuer`, which owns the schema `issuer`.",
    )
    only: Literal["desk", "signer"] | None = Field(
        default=None,
        validation_alias=AliasChoices("ISSUER_ONLY", "only"),
        description="Run a part of the issuer: `desk` answers callers and issues, `signer` signs. Both when"
        " empty.",
    )
    signing_database_url: SecretStr | None = Field(
        default=None,
        description="PostgreSQL as the role `signer`, which owns the schema `signing` with the private keys."
        " Everything but the desk needs it, and the commands that make keys: `microcred issuers create` and"
        " `microcred signing-keys`.",
    )
    pkcs11_module: Path | None = Field(
        default=None,
        description="The library of a PKCS#11 token, such as a hardware module's, on which new signing keys"
        " are made. Without it they lie in the schema `signing`, encrypted under the master key.",
    )
    pkcs11_token: str | None = Field(default=None, description="The label of the token.")
    pkcs11_pin_file: Path | None = Field(
        default=None, description="A file with the PIN of the token's user that only its owner may read."
    )
    vault_database_url: SecretStr = Field(
        description="PostgreSQL as the role `vault_reader`, which may read learners' keys and nothing else."
    )
    cryptosuites: tuple[str, ...] = Field(
        default=("eddsa-rdfc-2022",),
        min_length=1,
        max_length=4,
        description="How credentials and status lists are proved, one embedded proof each: `eddsa-rdfc-2022`"
        " (which Open Badges certification demands), `eddsa-jcs-2022` and `ecdsa-rdfc-2019` (P-256), or"
        " several. Every key and every proof has to hold wherever it is checked: choose the fewest that your"
        " verifiers need.",
    )
    tokens: tuple[TokenChoice, ...] = Field(
        default=(),
        max_length=2,
        description="Tokens in which new credentials can be fetched at their addresses too, one of each form:"
        " `vc+jwt/EdDSA` or `vc+jwt/ES256` for wallets and verifiers of VC-JOSE-COSE, `ob-jwt/ES256` or"
        " `ob-jwt/RS256` for platforms that read Open Badges 3.0 as JWT. ES256 and RS256 are signed with keys"
        " of their own, which the signer makes and publishes when it starts; a form begins when its key may"
        " sign (`KEY_OVERLAP_S`). docs/how-to/sign-in-other-forms.md has the whole course.",
    )
    canonical_processes: int = Field(
        default=2, ge=1, le=64, description="Worker processes that canonicalise what is to be signed."
    )
    sign_batch_records_max: int = Field(
        default=500, ge=1, le=500, description="Credentials that are signed in one transaction at most."
    )
    issue_wait_s: float = Field(
        default=10.0,
        ge=0,
        le=60,
        description="For how long a request that posts a credential waits for its signature before it is"
        " told to ask again.",
    )
    status_list_validity_s: int = Field(
        default=86_400, ge=3_600, description="For how long a published status list is valid."
    )
    status_list_refresh_before_s: int = Field(
        default=43_200, ge=60, description="How long before its end a status list is published anew."
    )
    status_list_refresh_every_s: float = Field(
        default=60.0, gt=0, description="How often the issuer looks for status lists that end soon."
    )
    status_list_ttl_ms: int = Field(
        default=300_000,
        ge=1_000,
        description="For how long a verifier may keep a status list (`ttl`), in milliseconds.",
    )

    key_overlap_s: int = Field(
        default=KEY_OVERLAP_S_MIN,
        ge=0,
        description="How long a new signing key is published before it signs, so that whoever keeps a copy of"
        " `did.json` knows it by then. At least a day in production.",
    )

    @model_validator(mode="after")
    def _new_keys_are_known_in_time(self) -> Self:
        if self.environment == "production" and self.key_overlap_s < KEY_OVERLAP_S_MIN:
            raise ValueError(f"KEY_OVERLAP_S must be {KEY_OVERLAP_S_MIN} or more in production")
        return self

    @model_validator(mode="after")
    def _lists_are_refreshed_in_time(self) -> Self:
        if self.status_list_refresh_before_s >= self.status_list_validity_s:
            raise ValueError("STATUS_LIST_REFRESH_BEFORE_S must be less than STATUS_LIST_VALIDITY_S")
        return self

    @model_validator(mode="after")
    def _a_token_is_described_whole(self) -> Self:
        described = [self.pkcs11_module, self.pkcs11_token, self.pkcs11_pin_file]
        if any(described) and not all(described):
            raise ValueError("PKCS11_MODULE, PKCS11_TOKEN and PKCS11_PIN_FILE go together")
        if self.only == "desk" and any(described):
            raise ValueError("PKCS11_MODULE must not be set for the desk: it needs no private key")
        return self

    @model_validator(mode="after")
    def _private_keys_where_they_are_used_alone(self) -> Self:
        if self.only == "desk" and self.signing_database_url is not None:
            raise ValueError("SIGNING_DATABASE_URL must not be set for the desk: it needs no private key")
        if self.only != "desk" and self.signing_database_url is None:
            raise ValueError("SIGNING_DATABASE_URL must be set, but for ISSUER_ONLY=desk")
        return self

    @property
    def key_overlap(self) -> timedelta:
        """`key_overlap_s` as a span."""
        return timedelta(seconds=self.key_overlap_s)

    @property
    def status_list_validity(self) -> timedelta:
        """`status_list_validity_s` as a span."""
        return timedelta(seconds=self.status_list_validity_s)
