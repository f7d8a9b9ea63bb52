"""The assessor's settings, besides those that every service shares."""

from __future__ import annotations

from pydantic import AliasChoices, Field, SecretStr

from shared.settings import KeyHolderSettings


class AssessorSettings(KeyHolderSettings):
    """What the assessor needs to know."""

    database_url: SecretStr = Field(
        validation_alias=AliasChoices("ASSESSOR_DATABASE_URL", "database_url"),
        description="PostgreSQL as the role `assessor`, which owns the schemas `assessor` and `vault`.",
    )
