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


class Settings(BaseSettings):
    """What a service needs to know besides its own settings."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

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
    bus: Literal["local"] = Field(
        default="local", description="What carries events: `local` reads the event tables of one PostgreSQL."
    )
    bus_database_url: SecretStr = Field(
        description="PostgreSQL as the role `bus_reader`, which may read the event tables and nothing else."
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
