"""Settings that every service shares. An environment variable is named like its field, in capitals.

A service adds its own in services/<name>/settings.py. docs/SETTINGS.md is generated from these classes, so a
setting without a description does not pass the checks. Addresses and passwords of databases are secrets: they
are read from the environment and never shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import Invalid


class KafkaSettings(BaseSettings):
    """How an Apache Kafka is reached, where one carries the events."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    kafka_bootstrap_servers: str = Field(
        default="", description="Brokers to ask first, as `host:port`, with commas between; for `BUS=kafka`."
    )
    kafka_prefix: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._-]{0,64}$",
        description="What stands before the name of every topic and consumer group, where installations share"
        " a cluster.",
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT",
        description="How brokers are spoken to. Without SSL whoever listens on the network reads every event;"
        " learners' data in it is encrypted all the same. With SSL brokers must prove their names.",
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512",
        description="How a user proves itself where the protocol has SASL in its name.",
    )
    kafka_user: str | None = Field(default=None, description="The user, for SASL.")
    kafka_password: SecretStr | None = Field(default=None, description="Its password, for SASL.")
    kafka_ca_file: Path | None = Field(
        default=None,
        description="Certificates (PEM) of the authority that signed the brokers', for SSL; without it those"
        " of the system.",
    )

    @model_validator(mode="after")
    def _a_user_where_one_is_asked_for(self) -> Self:
        if self.kafka_security_protocol.startswith("SASL") and not (self.kafka_user and self.kafka_password):
            raise ValueError("KAFKA_USER and KAFKA_PASSWORD are needed with KAFKA_SECURITY_PROTOCOL=SASL_…")
        return self


class Settings(KafkaSettings):
    """What a service needs to know besides its own settings."""

    environment: Literal["development", "production"] = Field(
        default="production",
        description="`production` refuses every development setting; `make demo` and `make serve` set"
        " `development`.",
    )
    public_url: str = Field(
        description="The address under which the world reaches this installation, such as"
        " `https://credentials.example.edu`. It stands in everything that is signed and can never change."
        " With https issuers are `did:web`; with http (development only) they are `did:key`."
    )
    bus: Literal["local", "kafka"] = Field(
        default="local",
        description="What carries events: `local` reads the event tables of one PostgreSQL; `kafka` is an"
        " Apache Kafka, for services on several machines.",
    )
    bus_database_url: SecretStr | None = Field(
        default=None,
        description="PostgreSQL as the role `bus_reader`, which may read the event tables and nothing else;"
        " for `BUS=local`, and for a replay.",
    )
    database_connections_max: int = Field(
        default=10, ge=2, le=200, description="Connections that one service holds at most."
    )
    http_host: str = Field(default="127.0.0.1", description="The address that the process listens on.")
    http_port: int = Field(default=8080, ge=1, le=65_535, description="The port that it listens on.")
    drain_wait_s: float = Field(
        default=5.0,
        ge=0,
        le=60,
        description="How long a process that is told to stop says `not ready` and still answers, so that load"
        " balancers send no more to it.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="The least level that is logged."
    )
    requests_per_second_max: float = Field(
        default=200.0, gt=0, description="Requests that one API key may make each second, on average."
    )
    requests_burst_max: int = Field(
        default=400, ge=1, description="Requests that one API key may make at once after a pause."
    )

    @field_validator("public_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        value = value.rstrip("/")
        if not value.startswith(("http://", "https://")):
            raise ValueError("PUBLIC_URL must begin with https:// (or http:// in development)")
        return value

    @property
    def log_dsn(self) -> str:
        """Address under which the logs of all services are read. Raises Invalid where none is set."""
        if self.bus_database_url is None:
            raise Invalid("settings-invalid", "BUS_DATABASE_URL is needed to read the logs of all services.")
        return self.bus_database_url.get_secret_value()

    @model_validator(mode="after")
    def _what_the_bus_needs(self) -> Self:
        if self.bus == "local" and self.bus_database_url is None:
            raise ValueError("BUS_DATABASE_URL is needed with BUS=local")
        if self.bus == "kafka" and not self.kafka_bootstrap_servers:
            raise ValueError("KAFKA_BOOTSTRAP_SERVERS is needed with BUS=kafka")
        return self

    @model_validator(mode="after")
    def _no_development_in_production(self) -> Self:
        if self.environment == "production" and not self.public_url.startswith("https://"):
            raise ValueError("PUBLIC_URL must be https in production; ENVIRONMENT=development allows http")
        return self


class KeyHolderSettings(Settings):
    """What a service that holds secrets needs besides. The verifier, which strangers reach, is none."""

    master_key_file: Path = Field(
        description="A file of 32 random bytes that only its owner may read. Learners' keys, signing keys and"
        " webhook secrets lie encrypted under it: without it nothing can be signed or read. Keep it apart"
        " from the database's backups."
    )
