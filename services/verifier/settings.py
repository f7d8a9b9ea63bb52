"""The verifier's settings. It has no key of any kind and no access to learners' data."""

from __future__ import annotations

from typing import Self

from pydantic import AliasChoices, Field, SecretStr, model_validator

from shared.settings import Settings


class VerifierSettings(Settings):
    """What the verifier needs to know besides what every service does."""

    database_url: SecretStr = Field(
        validation_alias=AliasChoices("VERIFIER_DATABASE_URL", "database_url"),
        description="PostgreSQL as the role `verifier`, which owns the schema of that name and no other.",
    )
    verifier_processes: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Processes in which the verifier canonicalises documents; each does about 100 a second."
        " One more is kept as a spare.",
    )
    verifications_per_second_max: float = Field(
        default=20.0,
        gt=0,
        description="Verifications that one client address (an IPv4 address or an IPv6 /64 network) may ask"
        " for each second, on average.",
    )
    verifications_burst_max: int = Field(
        default=100, ge=1, description="Verifications that one client address may ask for at once."
    )
    outbound_allow_loopback: bool = Field(
        default=False,
        description="Development alone: DID documents and status lists are fetched from loopback too, on any"
        " port.",
    )

    @model_validator(mode="after")
    def _guarded_in_production(self) -> Self:
        if self.environment == "production" and self.outbound_allow_loopback:
            raise ValueError("OUTBOUND_ALLOW_LOOPBACK is for development; production refuses it")
        return self
