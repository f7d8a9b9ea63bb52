"""Settings of the notifier: its databases, the relay that takes letters, and how much it does at once."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator

from services.notifier.internet_message import mail_address
from services.notifier.relay import SmtpSettings
from shared.errors import Invalid
from shared.outbound import OutboundLimits
from shared.settings import KeyHolderSettings


class NotifierSettings(KeyHolderSettings):
    """What the notifier needs to know besides the settings of every service."""

    database_url: SecretStr = Field(
        validation_alias=AliasChoices("NOTIFIER_DATABASE_URL", "database_url"),
        description="PostgreSQL as the role `notifier`.",
    )
    vault_database_url: SecretStr = Field(
        description="PostgreSQL as the role `vault_reader`, which may read learners' wrapped keys and nothing"
        " else."
    )
    smtp_host: str = Field(
        default="",
        description="The relay that takes the letters to learners. There is no mode without mail: learners"
        " have a right to know; a development world runs a receiver of its own.",
    )
    smtp_port: int = Field(default=587, ge=1, le=65_535, description="The relay's port.")
    smtp_encryption: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="`starttls` (demanded), `tls` from the first byte, or `none`, which production takes for"
        " a relay on the same machine alone.",
    )
    smtp_username: str | None = Field(default=None, description="The login at the relay, if it wants one.")
    smtp_password_file: Path | None = Field(
        default=None, description="A file with the password of that login, read once at start."
    )
    smtp_authorities_file: Path | None = Field(
        default=None, description="A private root for the relay's certificate, in PEM."
    )
    mail_sender: str = Field(
        default="", description="The bare address that letters come from, such as `credentials@example.edu`."
    )
    mail_connections_max: int = Field(
        default=8, ge=1, le=64, description="Connections to the relay, and so letters on their way, at once."
    )
    outbound_allow_loopback: bool = Field(
        default=False,
        description="Development alone: subscriptions may name http addresses and any port on loopback.",
    )
    webhooks_in_flight_max: int = Field(
        default=64, ge=1, le=1_000, description="Webhooks on their way at once."
    )
    webhooks_per_subscription_max: int = Field(
        default=8,
        ge=1,
        le=100,
        description="Webhooks on their way to one subscription at once: a slow endpoint holds back no other.",
    )
    attempt_wait_s: float = Field(
        default=40.0, gt=0, le=600, description="What one attempt at a delivery may take before it is ended."
    )
    lease_s: float = Field(
        default=90.0,
        gt=0,
        le=3_600,
        description="How long a delivery belongs to the process that took it; if that dies, another one takes"
        " it afterwards. At least twice ATTEMPT_WAIT_S.",
    )
    secret_overlap_s: int = Field(
        default=86_400,
        ge=0,
        le=604_800,
        description="After a rotation, how long a webhook is signed with the previous secret as well.",
    )
    subscriptions_per_issuer_max: int = Field(
        default=10, ge=1, le=100, description="Active subscriptions that one issuer may have."
    )

    @field_validator("smtp_host")
    @classmethod
    def _somewhere(cls, value: str) -> str:
        if not value.strip():
            raise ValueError(
                "SMTP_HOST is not set: the notifier writes to learners by e-mail and does not start without"
                " a relay. Set SMTP_HOST, SMTP_PORT and MAIL_SENDER."
            )
        return value.strip()

    @field_validator("mail_sender")
    @classmethod
    def _writable(cls, value: str) -> str:
        try:
            mail_address(value)
        except Invalid:
            raise ValueError("MAIL_SENDER must be a bare e-mail address that learners can reply to") from None
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.lease_s < 2 * self.attempt_wait_s:
            raise ValueError("LEASE_S must be at least twice ATTEMPT_WAIT_S, or a delivery is made twice")
        if self.environment == "production":
            if self.outbound_allow_loopback:
                raise ValueError("OUTBOUND_ALLOW_LOOPBACK is for development; production refuses it")
            if self.smtp_encryption == "none" and not _is_here(self.smtp_host):
                raise ValueError("SMTP_ENCRYPTION=none is for a relay on this machine; use starttls or tls")
        return self

    model_config = KeyHolderSettings.model_config | {"validate_default": True}

    @property
    def relay(self) -> SmtpSettings:
        """The relay as the mail channel wants it."""
        return SmtpSettings(
            host=self.smtp_host,
            port=self.smtp_port,
            encryption=self.smtp_encryption,
            username=self.smtp_username,
            password_file=self.smtp_password_file,
            authorities_file=self.smtp_authorities_file,
        )

    @property
    def outbound_limits(self) -> OutboundLimits:
        """Limits of the guarded client: several subscriptions may share a host without waiting in line."""
        return OutboundLimits(
            host_requests_max=self.webhooks_in_flight_max, connections_max=self.webhooks_in_flight_max
        )


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
